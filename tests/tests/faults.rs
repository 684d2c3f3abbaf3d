//! The fault suite in its short form. `scripts/chaos` is the long one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::PathBuf, time::Duration};

use system_tests::chaos::{
    cluster::{Plan, Role},
    conformance,
    faults::Kind,
    run::{Settings, run},
    soak,
    workload::Load,
};

fn settings(name: &str, seed: u64) -> Settings {
    Settings {
        seed,
        plan: Plan::default(),
        load: Load {
            sessions: 30,
            events: 12,
            pause: Duration::from_millis(150),
            think: Duration::from_millis(500),
            calls_per_session: 6,
            deadline: Duration::from_secs(60),
            first_session: 1,
        },
        each_once: Vec::new(),
        at_random: Vec::new(),
        faults: 0,
        lanes: 1,
        events: 0,
        longest: Duration::from_secs(150),
        directory: directory(name),
    }
}

/// Gone when all is well.
fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("chaos-{name}-{}", std::process::id()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_whatever_goes_wrong() {
    let mut each_once = Role::ALL.map(Kind::Kill).to_vec();
    each_once.extend([
        Kind::Freeze(Role::Edge),
        Kind::Roll(Role::Session),
        Kind::RedisRestart,
        Kind::RedisFailover,
        Kind::RedisDiskFull,
        Kind::Clock(Role::Session),
    ]);
    let settings = Settings {
        each_once,
        at_random: vec![
            Kind::Kill(Role::Session),
            Kind::Reset,
            Kind::Delay,
            Kind::Partition,
            Kind::Narrow,
        ],
        faults: 8,
        lanes: 2,
        ..settings("short", 1)
    };
    let outcome = run(&settings).await.unwrap();
    outcome.prove(&settings).unwrap();
    let counts = &outcome.verdict.counts;
    assert!(
        counts.events > 300 && counts.resumed > 0 && counts.replayed > 0,
        "{counts:?}"
    );
    assert_eq!(outcome.faults.len(), settings.each_once.len() + settings.faults);
    _ = std::fs::remove_dir_all(&settings.directory);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_conformance_suite_passes_while_replicas_are_killed() {
    let directory = directory("conformance");
    // With this seed no task of the suite is hit so often that it cannot end in the time that the suite gives it.
    let killed = conformance::under_fire(31, Duration::from_secs(1), &directory)
        .await
        .unwrap();
    let kills = killed.replicas.values().sum::<u32>();
    assert!(
        kills >= 5 && u64::from(kills) * 3 >= killed.took.as_secs() * 2,
        "{killed:?}"
    );
    _ = std::fs::remove_dir_all(directory);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_sessions_that_are_gone() {
    let settings = soak::Settings {
        seed: 1,
        load: Load {
            calls_per_session: 2,
            ..settings("soak", 1).load
        },
        session_ttl: Duration::from_secs(10),
        warm_up: Duration::from_secs(6),
        length: Duration::from_secs(6),
        directory: directory("soak"),
    };
    let soaked = soak::soak(&settings).await.unwrap();
    soaked.prove().unwrap();
    assert!(soaked.verdict.counts.results > 20, "{:?}", soaked.verdict.counts);
    assert!(
        soaked.after.processes.values().all(|holds| holds.tasks > 0),
        "{:?}",
        soaked.after
    );
    _ = std::fs::remove_dir_all(settings.directory);
}
