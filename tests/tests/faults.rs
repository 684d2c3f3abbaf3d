//! The fault suite in its short form. `scripts/chaos` is the long one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use system_tests::chaos::{
    cluster::{Plan, Role},
    faults::Kind,
    run::{Settings, run},
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
        },
        each_once: Vec::new(),
        at_random: Vec::new(),
        faults: 0,
        lanes: 1,
        events: 0,
        longest: Duration::from_secs(60),
        directory: std::env::temp_dir().join(format!("chaos-{name}-{}", std::process::id())),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_whatever_goes_wrong() {
    let kinds = vec![Kind::Kill(Role::Auth), Kind::Delay];
    let settings = Settings {
        each_once: kinds.clone(),
        at_random: kinds,
        faults: 4,
        ..settings("short", 1)
    };
    let outcome = run(&settings).await.unwrap();
    outcome.prove(&settings).unwrap();
    let counts = &outcome.verdict.counts;
    assert!(
        counts.events > 300 && counts.resumed > 0 && counts.replayed > 0,
        "{counts:?}"
    );
    _ = std::fs::remove_dir_all(&settings.directory);
}
