//! One run: a cluster, clients, faults, and the verdict.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, ensure};
use serde_json::json;
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

use super::{
    checker::{self, Promises, Verdict},
    cluster::{Cluster, Plan, Role},
    faults::{self, Fault, Kind},
    history::{Record, Recorder},
    injector,
    workload::{self, Load, User, Workload},
};
use crate::Browser;

/// How long everything may take to be well again after a fault is healed.
const RECOVERY: Duration = Duration::from_secs(60);
/// How long those who listen may take to hear of a change.
const HEARING: Duration = Duration::from_secs(5);
const USERS: [&str; 5] = ["ada", "bob", "cleo", "dan", "eve"];

/// What a run does.
#[derive(Clone, Debug)]
pub struct Settings {
    pub seed: u64,
    pub plan: Plan,
    pub load: Load,
    /// Kinds of which each comes on its own, first.
    pub each_once: Vec<Kind>,
    /// Kinds that come at random, and how often.
    pub at_random: Vec<Kind>,
    pub faults: usize,
    /// Random faults at the same time.
    pub lanes: usize,
    /// Goes on until clients have seen this many.
    pub events: u64,
    /// Everything is over by then, with whatever there is.
    pub longest: Duration,
    /// Where logs, sockets and the history of a failure go.
    pub directory: PathBuf,
}

/// A fault that happened.
#[derive(Clone, Debug)]
pub struct Happened {
    pub at: Duration,
    pub kind: Kind,
    pub target: String,
    /// From the fault's end until everything worked.
    pub recovery: Duration,
}

/// What came of a run.
pub struct Outcome {
    pub verdict: Verdict,
    pub faults: Vec<Happened>,
    pub took: Duration,
    /// Clients that did not come to the end of their calls.
    pub stuck: usize,
    pub records: Vec<Record>,
    pub logs: String,
}

/// Runs it all.
pub async fn run(settings: &Settings) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let cluster = Cluster::start(settings.plan.clone(), &settings.directory).await?;
    // After the last fault come recovery, and the end of every call.
    let bound = settings.longest + RECOVERY * 2 + settings.load.deadline * 3;
    let outcome = timeout(bound, attack(settings, &cluster, began)).await;
    let outcome = outcome
        .context("the run did not end in time")
        .and_then(|outcome| outcome)
        .map_err(|error| {
            anyhow!(
                "{error:#} (seed {})\n{}",
                settings.seed,
                cluster.supervisor.logs()
            )
        });
    cluster.supervisor.end();
    outcome
}

async fn attack(settings: &Settings, cluster: &Arc<Cluster>, began: Instant) -> anyhow::Result<Outcome> {
    let users = log_in(cluster, settings.plan.login).await?;
    let recorder = Recorder::new();
    let load = settings.load.clone();
    let deadline = load.deadline;
    let workload = Workload::start(&cluster.origin(), load, &users, settings.seed, recorder.clone());
    let happened = Arc::new(Mutex::new(Vec::new()));
    let attacker = Attacker {
        cluster: cluster.clone(),
        user: users[0].clone(),
        recorder: recorder.clone(),
        happened: happened.clone(),
        until: began + settings.longest,
    };
    attacker.recovered().await?;
    let once = faults::each_once(&settings.each_once, settings.seed);
    attacker
        .attack(once.into_iter().map(|fault| (0, fault)).collect())
        .await?;
    // Spread over the whole run: each has its place among the events that clients are to see.
    let schedule = faults::at_random(&settings.at_random, settings.faults, settings.seed);
    let done = recorder.events();
    let left = settings.events.saturating_sub(done);
    let schedule: Vec<_> = (0..)
        .zip(schedule)
        .map(|(index, fault)| (done + left * index / settings.faults.max(1) as u64, fault))
        .collect();
    let lane_count = settings.lanes.max(1);
    let lanes = (0..lane_count).map(|lane| {
        let of_lane = schedule.iter().skip(lane).step_by(lane_count).copied();
        attacker.attack(of_lane.collect())
    });
    futures::future::try_join_all(lanes).await?;
    while recorder.events() < settings.events && began.elapsed() < settings.longest {
        sleep(Duration::from_millis(100)).await;
    }
    let unsettled = workload.settle(deadline + Duration::from_secs(10)).await;
    attacker.recovered().await?;
    workload.sound_the_trumpet(&users[0]).await?;
    sleep(HEARING).await;
    let stuck = unsettled.max(workload.finish(deadline + Duration::from_secs(30)).await?);

    let mut executions = Vec::new();
    for name in cluster.names(Role::Feature) {
        let log = std::fs::read_to_string(cluster.log_of(&name))?;
        executions.extend(workload::executions(&log));
    }
    let records = recorder.take();
    let promises = Promises {
        session_ttl: session_ttl(&settings.plan),
        deadline,
    };
    let verdict = checker::check(&records, &executions, &promises);
    let faults = std::mem::take(&mut *happened.lock().await);
    Ok(Outcome {
        verdict,
        faults,
        took: began.elapsed(),
        stuck,
        records,
        logs: cluster.supervisor.logs(),
    })
}

/// Everybody who has clients, each with a token of their own.
pub(super) async fn log_in(cluster: &Cluster, login: bool) -> anyhow::Result<Vec<User>> {
    if !login {
        let number = 0;
        return Ok(vec![User { number, token: None }]);
    }
    let mut users = Vec::new();
    for (number, name) in (0..).zip(USERS) {
        let tokens = Browser::of(name)?.log_in(&cluster.url("/mcp")).await?;
        users.push(User {
            number,
            token: Some(tokens.access_token),
        });
    }
    Ok(users)
}

fn session_ttl(plan: &Plan) -> Duration {
    let set = plan.settings.iter().rfind(|(name, _)| name == "SESSION_TTL");
    Duration::from_secs(set.and_then(|(_, seconds)| seconds.parse().ok()).unwrap_or(300))
}

struct Attacker {
    cluster: Arc<Cluster>,
    user: User,
    recorder: Recorder,
    happened: Arc<Mutex<Vec<Happened>>>,
    until: Instant,
}

impl Attacker {
    /// One fault after the other, each once the one before has been overcome and clients have seen so many events.
    async fn attack(&self, faults: Vec<(u64, Fault)>) -> anyhow::Result<()> {
        for (events, fault) in faults {
            while self.recorder.events() < events && Instant::now() < self.until {
                sleep(Duration::from_millis(20)).await;
            }
            if Instant::now() >= self.until {
                break;
            }
            let at = self.recorder.elapsed();
            let target = injector::inject(&self.cluster, &fault).await;
            let target = target.with_context(|| format!("{} could not be done", fault.kind))?;
            let recovery = self
                .recovered()
                .await
                .with_context(|| format!("after {}: {target}", fault.kind))?;
            self.happened.lock().await.push(Happened {
                at,
                kind: fault.kind,
                target,
                recovery,
            });
            sleep(fault.pause).await;
        }
        Ok(())
    }

    /// Until every edge is ready and a call through each is answered.
    async fn recovered(&self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        loop {
            match self.works().await {
                Ok(()) => return Ok(began.elapsed()),
                Err(reason) => {
                    ensure!(
                        began.elapsed() < RECOVERY,
                        "not well again after {RECOVERY:?}: {reason:#}"
                    );
                    sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    async fn works(&self) -> anyhow::Result<()> {
        self.cluster.is_ready().await?;
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .build()?;
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "chaos", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        for _ in self.cluster.names(Role::Edge) {
            let call = json!({
                "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": { "name": "test_simple_text", "arguments": {}, "_meta": meta },
            });
            let mut request = client
                .post(self.cluster.url("/mcp"))
                .header("accept", "application/json, text/event-stream")
                .header("mcp-protocol-version", "2026-07-28")
                .header("mcp-method", "tools/call")
                .header("mcp-name", "test_simple_text");
            if let Some(token) = &self.user.token {
                request = request.bearer_auth(token);
            }
            let response = request.json(&call).send().await?;
            let status = response.status();
            ensure!(
                status == 200,
                "{status}: {}",
                response.text().await.unwrap_or_default()
            );
        }
        Ok(())
    }
}

impl Outcome {
    /// How often each kind happened, and how long recovery took in the middle and at worst.
    pub fn by_kind(&self) -> BTreeMap<Kind, Vec<Duration>> {
        let mut kinds: BTreeMap<Kind, Vec<Duration>> = BTreeMap::new();
        for fault in &self.faults {
            kinds.entry(fault.kind).or_default().push(fault.recovery);
        }
        kinds
            .values_mut()
            .for_each(|recoveries| recoveries.sort_unstable());
        kinds
    }

    /// Fails with every broken promise, and writes what its clients saw beside the logs.
    pub fn prove(&self, settings: &Settings) -> anyhow::Result<()> {
        let violations = &self.verdict.violations;
        if violations.is_empty() && self.stuck == 0 {
            return Ok(());
        }
        let mut text = format!("seed {}: {} clients stuck\n", settings.seed, self.stuck);
        for fault in &self.faults {
            text.push_str(&format!("{:?} {} {}\n", fault.at, fault.kind, fault.target));
        }
        for violation in violations {
            text.push_str(&format!("{violation:?}\n"));
        }
        let sessions: BTreeSet<_> = violations.iter().map(|violation| violation.session).collect();
        for session in sessions.into_iter().take(40) {
            text.push_str(&format!("\nsession {session}\n"));
            for record in self.records.iter().filter(|record| record.session == session) {
                text.push_str(&format!("{:?} {:?}\n", record.at, record.what));
            }
        }
        let path = settings.directory.join("violations.txt");
        std::fs::write(&path, text)?;
        let first: Vec<_> = violations.iter().take(20).collect();
        anyhow::bail!(
            "{} promises broken, {} clients stuck (seed {}); see {}\n{first:#?}\n{}",
            violations.len(),
            self.stuck,
            settings.seed,
            path.display(),
            self.logs
        )
    }
}
