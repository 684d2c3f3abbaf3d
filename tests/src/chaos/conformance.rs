//! The official conformance suite, while replicas are killed.

use std::{
    collections::BTreeMap,
    fmt,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures::future::join_all;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::time::sleep;

use super::cluster::{Cluster, Plan, Role, Signal};
use crate::{
    Browser,
    conformance::{self, Requirements},
    stack::Proxy,
};

/// What was killed while the suite ran.
#[derive(Debug, Default)]
pub struct Killed {
    pub replicas: BTreeMap<String, u32>,
    pub took: Duration,
    pub scenarios: usize,
}

/// Runs the suite for all revisions at once against a cluster of which a random replica is killed at this interval.
pub async fn under_fire(seed: u64, every: Duration, directory: &Path) -> anyhow::Result<Killed> {
    let cluster = Cluster::start(Plan::default(), directory).await?;
    let proxy = Proxy::start().await?;
    proxy.serve(&[cluster.front().address()]);
    proxy.try_again();
    let tokens = Browser::of("conformance")?.log_in(&cluster.url("/mcp")).await?;
    proxy.authorize(&tokens.access_token);
    let url = format!("{}/mcp", proxy.origin());
    let began = Instant::now();
    let suites = conformance::REQUIREMENTS.map(|required| {
        let url = url.clone();
        let directory = directory.join(required.revision);
        async move {
            let report = conformance::run(&url, required.revision, &directory).await;
            report.and_then(|report| judge(&required, &report))
        }
    });
    let mut killed = Killed::default();
    let mut rng = SmallRng::seed_from_u64(seed);
    let killing = async {
        loop {
            sleep(every).await;
            let role = Role::ALL[rng.random_range(0..Role::ALL.len())];
            let names = cluster.names(role);
            let name = &names[rng.random_range(0..names.len())];
            if cluster.supervisor.signal(name, Signal::Kill) {
                *killed.replicas.entry(name.clone()).or_default() += 1;
            }
        }
    };
    let verdicts: Vec<anyhow::Result<usize>> = tokio::select! {
        verdicts = join_all(suites) => verdicts,
        () = killing => Vec::new(),
    };
    let logs = cluster.supervisor.logs();
    cluster.supervisor.end();
    killed.took = began.elapsed();
    for verdict in verdicts {
        killed.scenarios += verdict.with_context(|| format!("seed {seed}, killed {killed:?}\n{logs}"))?;
    }
    Ok(killed)
}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replicas: Vec<_> = self
            .replicas
            .iter()
            .map(|(name, times)| format!("{name} {times} times"))
            .collect();
        write!(
            f,
            "{} scenarios of both sets of requirements passed in {:.0} s, while {} replicas were killed: {}.",
            self.scenarios,
            self.took.as_secs_f64(),
            self.replicas.values().sum::<u32>(),
            replicas.join(", ")
        )
    }
}

fn judge(required: &Requirements, report: &conformance::Report) -> anyhow::Result<usize> {
    ensure!(
        report.scenarios.len() == required.scenarios,
        "{} scenarios of {}",
        report.scenarios.len(),
        required.revision
    );
    report
        .verdict(required.always_skipped)
        .with_context(|| required.revision)?;
    Ok(report.scenarios.len())
}
