//! Load for a long time, sessions begun and ended, and what is left of it when they are gone.

use std::{
    collections::BTreeMap,
    fmt::Write,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, ensure};
use tokio::time::{interval, sleep};

use super::{
    checker::{self, Promises, Verdict},
    cluster::{Cluster, Plan, Role},
    history::Recorder,
    run::log_in,
    workload::{self, Load, User, Workload},
};

const SAMPLES: u32 = 60;
/// Out of the way of those that are counted.
const WARM_UP_SESSIONS: u32 = 1 << 30;
/// Memory that an allocator may keep, of each process.
const SLACK_KIB: u64 = 16 * 1024;
const SLACK_FILES: u64 = 12;
const SLACK_THREADS: u64 = 8;
const SLACK_TASKS: u64 = 12;
/// What is counted per user and per edge comes and goes.
const SLACK_KEYS: u64 = 12;
/// The gauge that the admin listener shows.
const TASKS: &str = "everything_runtime_tasks";

/// How to soak.
#[derive(Clone, Debug)]
pub struct Settings {
    pub seed: u64,
    pub load: Load,
    /// How long sessions live that nobody ends. Longer than a slow client reads what the server sent long ago.
    pub session_ttl: Duration,
    /// Load before the first measurement, so that caches and allocators have what they need.
    pub warm_up: Duration,
    pub length: Duration,
    pub directory: PathBuf,
}

/// What one process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    pub memory_kib: u64,
    pub threads: u64,
    pub files: u64,
    /// Of the asynchronous runtime.
    pub tasks: u64,
}

/// All processes, and Redis.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub at: Duration,
    pub processes: BTreeMap<String, Holds>,
    /// Of sessions, in Redis.
    pub session_keys: u64,
    pub keys: u64,
}

/// What came of it.
pub struct Soak {
    pub length: Duration,
    pub before: Sample,
    pub during: Vec<Sample>,
    pub after: Sample,
    pub verdict: Verdict,
}

/// Soaks, and measures at rest before and after.
pub async fn soak(settings: &Settings) -> anyhow::Result<Soak> {
    let ttl = settings.session_ttl.as_secs().to_string();
    // A question keeps its session alive until it is answered or times out.
    let plan = Plan::default()
        .with_admin()
        .setting("SESSION_TTL", &ttl)
        .setting("INPUT_TIMEOUT_SECS", &ttl);
    let cluster = Cluster::start(plan, &settings.directory).await?;
    let soaked = measure(settings, &cluster).await;
    let soaked = soaked.map_err(|error| anyhow!("{error:#}\n{}", cluster.supervisor.logs()));
    cluster.supervisor.end();
    soaked
}

async fn measure(settings: &Settings, cluster: &Arc<Cluster>) -> anyhow::Result<Soak> {
    let users = log_in(cluster, true).await?;
    let began = Instant::now();
    let warm_up = Load {
        first_session: WARM_UP_SESSIONS,
        ..settings.load.clone()
    };
    load(&warm_up, settings, cluster, &users, settings.warm_up, None).await?;
    let before = at_rest(cluster, settings, began).await?;
    let mut during = Vec::new();
    let sampled = Some((&mut during, began));
    let verdict = load(
        &settings.load,
        settings,
        cluster,
        &users,
        settings.length,
        sampled,
    )
    .await?;
    let after = at_rest(cluster, settings, began).await?;
    Ok(Soak {
        length: settings.length,
        before,
        during,
        after,
        verdict,
    })
}

async fn load(
    load: &Load,
    settings: &Settings,
    cluster: &Arc<Cluster>,
    users: &[User],
    length: Duration,
    samples: Option<(&mut Vec<Sample>, Instant)>,
) -> anyhow::Result<Verdict> {
    let recorder = Recorder::new();
    let deadline = load.deadline;
    let workload = Workload::start(
        &cluster.origin(),
        load.clone(),
        users,
        settings.seed,
        recorder.clone(),
    );
    match samples {
        None => sleep(length).await,
        Some((samples, began)) => {
            let mut ticks = interval(length / SAMPLES);
            for _ in 0..SAMPLES {
                ticks.tick().await;
                samples.push(sample(cluster, began).await?);
            }
        }
    }
    let stuck = workload.settle(deadline).await;
    ensure!(
        stuck == 0,
        "{stuck} clients did not come to the end of their calls"
    );
    let stuck = workload.finish(deadline + Duration::from_secs(30)).await?;
    ensure!(stuck == 0, "{stuck} clients could not end their sessions");
    let mut executions = Vec::new();
    for name in cluster.names(Role::Feature) {
        executions.extend(workload::executions(&std::fs::read_to_string(
            cluster.log_of(&name),
        )?));
    }
    let promises = Promises {
        session_ttl: settings.session_ttl,
        deadline,
    };
    Ok(checker::check(&recorder.take(), &executions, &promises))
}

/// Once every session is gone.
async fn at_rest(cluster: &Cluster, settings: &Settings, began: Instant) -> anyhow::Result<Sample> {
    let deadline = Instant::now() + settings.session_ttl * 6;
    loop {
        let sample = sample(cluster, began).await?;
        if sample.session_keys == 0 {
            // What is freed a little later: caches of the edges, connections of clients.
            sleep(Duration::from_secs(2)).await;
            return self::sample(cluster, began).await;
        }
        ensure!(
            Instant::now() < deadline,
            "{} keys of sessions are left in redis",
            sample.session_keys
        );
        sleep(Duration::from_millis(200)).await;
    }
}

async fn sample(cluster: &Cluster, began: Instant) -> anyhow::Result<Sample> {
    let mut processes = BTreeMap::new();
    for (name, pid) in cluster.supervisor.pids() {
        let tasks = match cluster.admin_of(&name) {
            Some(address) => tasks(address).await.with_context(|| format!("tasks of {name}"))?,
            None => 0,
        };
        processes.insert(name, Holds { tasks, ..holds(pid)? });
    }
    let redis = cluster.redis.lock().await;
    let session_keys: Vec<String> = redis.primary.command(&["KEYS", "session:{*"]).await?;
    let keys = redis.primary.command(&["DBSIZE"]).await?;
    Ok(Sample {
        at: began.elapsed(),
        processes,
        session_keys: session_keys.len() as u64,
        keys,
    })
}

fn holds(pid: u32) -> anyhow::Result<Holds> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).unwrap_or_default()
    };
    Ok(Holds {
        memory_kib: number("VmRSS:"),
        threads: number("Threads:"),
        files: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
        tasks: 0,
    })
}

async fn tasks(address: SocketAddr) -> anyhow::Result<u64> {
    let text = reqwest::get(format!("http://{address}/metrics"))
        .await?
        .text()
        .await?;
    let line = text.lines().find(|line| line.starts_with(TASKS));
    let value = line
        .and_then(|line| line.rsplit(' ').next())
        .context("no such gauge")?;
    Ok(value.parse::<f64>()? as u64)
}

impl Soak {
    /// Fails where anything grew that should not have.
    pub fn prove(&self) -> anyhow::Result<()> {
        ensure!(
            self.verdict.violations.is_empty(),
            "promises were broken during the soak: {:#?}",
            self.verdict.violations.iter().take(10).collect::<Vec<_>>()
        );
        for (name, after) in &self.after.processes {
            let before = self.before.processes.get(name).copied().unwrap_or_default();
            let grew = |what: &str, from: u64, to: u64, slack: u64| {
                ensure!(to <= from + slack, "{what} of {name} grew from {from} to {to}");
                Ok(())
            };
            grew(
                "memory (KiB)",
                before.memory_kib,
                after.memory_kib,
                SLACK_KIB + before.memory_kib / 4,
            )?;
            grew("threads", before.threads, after.threads, SLACK_THREADS)?;
            grew("tasks", before.tasks, after.tasks, SLACK_TASKS)?;
            grew("file descriptors", before.files, after.files, SLACK_FILES)?;
        }
        ensure!(self.after.session_keys == 0, "keys of sessions are left");
        ensure!(
            self.after.keys <= self.before.keys + SLACK_KEYS,
            "keys in redis grew from {} to {}",
            self.before.keys,
            self.after.keys
        );
        Ok(())
    }

    pub fn table(&self) -> String {
        let mut text = String::new();
        let counts = &self.verdict.counts;
        _ = writeln!(
            text,
            "{:.0} minutes of load without faults: {} sessions begun and ended, {} calls, {} events, {} broken promises.\n",
            self.length.as_secs_f64() / 60.0,
            counts.sessions.values().sum::<u64>(),
            counts.calls,
            counts.events,
            self.verdict.violations.len(),
        );
        text.push_str("At rest, before and after, with the highest in the first and in the last quarter of the load:\n\n");
        text.push_str("| process | memory, MiB | under load, MiB | threads | tasks | file descriptors |\n|---|---|---|---|---|---|\n");
        let quarter = self.during.len() / 4;
        let highest = |name: &String, samples: &[Sample]| {
            let memory = samples.iter().filter_map(|sample| sample.processes.get(name));
            memory.map(|holds| holds.memory_kib).max().unwrap_or_default() / 1024
        };
        for (name, after) in &self.after.processes {
            let before = self.before.processes.get(name).copied().unwrap_or_default();
            _ = writeln!(
                text,
                "| {name} | {} → {} | {} → {} | {} → {} | {} → {} | {} → {} |",
                before.memory_kib / 1024,
                after.memory_kib / 1024,
                highest(name, &self.during[..quarter]),
                highest(name, &self.during[self.during.len() - quarter..]),
                before.threads,
                after.threads,
                before.tasks,
                after.tasks,
                before.files,
                after.files,
            );
        }
        _ = writeln!(
            text,
            "\nKeys in Redis: {} → {}, of sessions {} → {} (up to {} under load).",
            self.before.keys,
            self.after.keys,
            self.before.session_keys,
            self.after.session_keys,
            self.during
                .iter()
                .map(|sample| sample.session_keys)
                .max()
                .unwrap_or_default(),
        );
        text
    }
}
