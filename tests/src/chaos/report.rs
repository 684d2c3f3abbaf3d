//! One page on what a run had: numbers, seeds, versions.

use std::{fmt::Write, process::Command, time::Duration};

use super::{
    run::{Outcome, Settings},
    soak::Soak,
};

/// What else a reader has to know.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// `debug` or `release`.
    pub build: String,
    /// Lines of the reader's own, such as on what shared the machine.
    pub notes: Vec<String>,
}

type Run<'a> = (&'a Settings, &'a anyhow::Result<Outcome>);

/// What was run.
#[derive(Clone, Copy, Default)]
pub struct Parts<'a> {
    pub faults: Option<Run<'a>>,
    pub sentinels: Option<Run<'a>>,
    pub conformance: Option<&'a anyhow::Result<String>>,
    pub soak: Option<&'a anyhow::Result<Soak>>,
}

/// The page, in Markdown.
pub fn page(parts: &Parts<'_>, context: &Context) -> String {
    let mut page = String::from("# Fault suite, long form\n\n");
    let redis = version("redis-server", &["--version"]);
    _ = writeln!(
        page,
        "Commit {}, {} build, {}, {}, Linux {}, {} cores. Two edges and two replicas of each service.",
        version("git", &["rev-parse", "--short=12", "HEAD"]),
        context.build,
        redis.split(" sha").next().unwrap_or_default(),
        version("rustc", &["--version"]),
        version("uname", &["-r"]),
        std::thread::available_parallelism().map_or(0, usize::from),
    );
    for note in &context.notes {
        _ = writeln!(page, "\n{note}");
    }
    run(&mut page, "Faults", parts.faults);
    run(&mut page, "Failover by sentinels", parts.sentinels);
    match parts.conformance {
        Some(Ok(text)) => _ = writeln!(page, "\n## Conformance while replicas are killed\n\n{text}"),
        Some(Err(error)) => {
            let why = first_line(error);
            _ = writeln!(
                page,
                "\n## Conformance while replicas are killed\n\n**Failed:** {why}"
            );
        }
        None => {}
    }
    match parts.soak {
        Some(Ok(soak)) => _ = writeln!(page, "\n## Soak\n\n{}", soak.table()),
        Some(Err(error)) => _ = writeln!(page, "\n## Soak\n\n**Failed:** {}", first_line(error)),
        None => {}
    }
    page
}

fn run(page: &mut String, title: &str, run: Option<Run<'_>>) {
    match run {
        Some((settings, Ok(outcome))) => {
            _ = writeln!(page, "\n## {title}\n");
            faults(page, settings, outcome);
        }
        Some((_, Err(error))) => _ = writeln!(page, "\n## {title}\n\n**Failed:** {}", first_line(error)),
        None => {}
    }
}

fn faults(page: &mut String, settings: &Settings, outcome: &Outcome) {
    let counts = &outcome.verdict.counts;
    let broken = |name: &str| {
        let named =
            |violation: &&super::checker::Violation| format!("{:?}", violation.broken).starts_with(name);
        outcome.verdict.violations.iter().filter(named).count()
    };
    _ = writeln!(
        page,
        "Seed {}: **{} faults** and **{} events** in {} min, with {} clients at a time ({} sessions in all).\n",
        settings.seed,
        outcome.faults.len(),
        counts.events,
        minutes(outcome.took),
        settings.load.sessions,
        counts.sessions.values().sum::<u64>(),
    );
    _ = writeln!(
        page,
        "**{} lost, {} duplicated, {} reordered, {} hung, {} sessions lost, {} foreign sights; {} broken promises in all.**\n",
        broken("Lost"),
        broken("Duplicated"),
        broken("Reordered"),
        broken("Hung") + outcome.stuck,
        broken("SessionLost"),
        broken("Foreign"),
        outcome.verdict.violations.len(),
    );
    let sessions: Vec<_> = counts
        .sessions
        .iter()
        .map(|(wire, count)| format!("{count} of {wire}"))
        .collect();
    for (what, count) in [
        ("calls sent", counts.calls),
        ("acknowledged", counts.acknowledged),
        ("ended in a result", counts.results),
        ("ended in a JSON-RPC error", counts.errors),
        (
            "of these, calls of tools that may run again",
            counts.errors_of_repeatable,
        ),
        ("refused with 429 or 503", counts.refused),
        ("connection lost before the acknowledgement", counts.unknown),
        ("client vanished in the middle", counts.vanished),
        ("streams resumed with Last-Event-ID", counts.resumed),
        ("streams read again and compared", counts.replayed),
        ("runs of tools", counts.runs),
        ("calls run again after an interruption", counts.run_again),
    ] {
        _ = writeln!(page, "- {what}: {count}");
    }
    _ = writeln!(page, "- sessions: {}", sessions.join(", "));
    _ = writeln!(
        page,
        "- from sending to the outcome of an acknowledged call: {} median, {} p99, {} at most (deadline {})\n",
        seconds(counts.latency(0.5)),
        seconds(counts.latency(0.99)),
        seconds(counts.latency(1.0)),
        seconds(settings.load.deadline),
    );
    _ = writeln!(
        page,
        "| fault | times | recovery, median | at most |\n|---|---|---|---|"
    );
    for (kind, recoveries) in outcome.by_kind() {
        let median = recoveries.get(recoveries.len() / 2).copied().unwrap_or_default();
        let most = recoveries.last().copied().unwrap_or_default();
        _ = writeln!(
            page,
            "| {kind} | {} | {} | {} |",
            recoveries.len(),
            seconds(median),
            seconds(most)
        );
    }
    _ = writeln!(
        page,
        "\nRecovery is the time from the end of the fault until every edge is ready and calls through the edges work.\n"
    );
}

pub fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

pub fn minutes(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() / 60.0)
}

fn first_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.lines().next().unwrap_or_default().to_owned()
}

fn version(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|_| format!("{program} unknown"))
}
