//! The official conformance suite, judged by what it wrote and not by its exit code, which ignores warnings.

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio::{process::Command, time::timeout};

use crate::tools;

/// The whole suite takes half a minute.
const DEADLINE: Duration = Duration::from_secs(180);

/// What the suite asks of each revision, scored or not.
pub const REQUIREMENTS: [Requirements; 2] = [
    Requirements {
        revision: "2025-11-25",
        // 30 that the revision requires, and 3 that the suite runs beside them without scoring.
        scenarios: 33,
        unchecked: &[],
        always_skipped: &[],
    },
    Requirements {
        revision: "2026-07-28",
        scenarios: 50,
        unchecked: &["tasks-status-notifications"],
        // The harness has no way to listen to them.
        always_skipped: &["tasks-status-notifications"],
    },
];

/// What has to come of a run.
#[derive(Clone, Copy, Debug)]
pub struct Requirements {
    pub revision: &'static str,
    pub scenarios: usize,
    /// Scenarios in which what they look at does not come up.
    pub unchecked: &'static [&'static str],
    /// Scenarios that the suite skips on every server.
    pub always_skipped: &'static [&'static str],
}

/// What the suite found.
pub struct Report {
    /// Checks by scenario.
    pub scenarios: BTreeMap<String, Vec<Check>>,
    output: String,
}

pub struct Check {
    pub id: String,
    /// SUCCESS, INFO, WARNING, FAILURE or SKIPPED.
    pub status: String,
    pub message: String,
}

/// Runs `server --requirements <revision>` against the MCP endpoint at `url`. Results stay in `directory`.
pub async fn run(url: &str, revision: &str, directory: &Path) -> anyhow::Result<Report> {
    let run = Command::new(tools::node()?)
        .arg(tools::conformance_suite()?)
        .args(["server", "--url", url, "--requirements", revision, "--output-dir"])
        .arg(directory)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(DEADLINE, run)
        .await
        .context("the suite did not end in time")?
        .context("cannot run node")?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let announced = announced(&text).with_context(|| format!("the suite did not start:\n{text}"))?;
    let scenarios = read(directory)?;
    ensure!(
        scenarios.len() == announced,
        "{announced} scenarios were to run, {} left results:\n{text}",
        scenarios.len()
    );
    Ok(Report {
        scenarios,
        output: text,
    })
}

impl Report {
    /// Scenarios in which nothing was checked: what they look at did not come up.
    pub fn unchecked(&self) -> Vec<&str> {
        let checked = |checks: &[Check]| checks.iter().any(|check| check.status == "SUCCESS");
        self.scenarios
            .iter()
            .filter(|(_, checks)| !checked(checks))
            .map(|(scenario, _)| scenario.as_str())
            .collect()
    }

    /// Fails with everything that is not as it must be: no failure, no warning, and nothing skipped but in the scenarios
    /// that the suite itself always skips.
    pub fn verdict(&self, always_skipped: &[&str]) -> anyhow::Result<()> {
        let mut problems = String::new();
        for (scenario, checks) in &self.scenarios {
            for Check { id, status, message } in checks {
                let skips = status == "SKIPPED" && always_skipped.contains(&scenario.as_str());
                if !skips && !matches!(status.as_str(), "SUCCESS" | "INFO") {
                    writeln!(problems, "{scenario}: {status} {id}: {message}")?;
                }
            }
        }
        if problems.is_empty() {
            return Ok(());
        }
        bail!("{problems}\n{}", self.output)
    }
}

/// The number of scenarios that the suite says it will run.
fn announced(output: &str) -> Option<usize> {
    let line = output
        .lines()
        .find(|line| line.starts_with("Running requirements"))?;
    line.split_once('(')?.1.split_once(' ')?.0.parse().ok()
}

/// Each scenario leaves `server-<scenario>-<time>/checks.json`.
fn read(directory: &Path) -> anyhow::Result<BTreeMap<String, Vec<Check>>> {
    let mut scenarios = BTreeMap::new();
    for entry in std::fs::read_dir(directory).context("the suite left no results")? {
        let path: PathBuf = entry?.path().join("checks.json");
        let name = path
            .parent()
            .and_then(Path::file_name)
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let scenario = name.strip_prefix("server-").unwrap_or(&name);
        // The time: 2026-01-31T23-59-59-999Z.
        let scenario = scenario.get(..scenario.len().saturating_sub("-2026-01-31T23-59-59-999Z".len()));
        let scenario = scenario.context("a directory without a time")?.to_owned();
        let checks = std::fs::read(&path).with_context(|| format!("{scenario} left no checks.json"))?;
        let checks: Vec<Value> = serde_json::from_slice(&checks)?;
        scenarios.insert(scenario, checks.iter().map(check).collect());
    }
    Ok(scenarios)
}

fn check(check: &Value) -> Check {
    let text = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
    let message = match check.get("errorMessage") {
        Some(_) => text("errorMessage"),
        None => check["details"].to_string(),
    };
    Check {
        id: text("id"),
        status: text("status"),
        message,
    }
}
