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

/// The page, in Markdown.
pub fn page(
    settings: &Settings,
    outcome: Option<&anyhow::Result<Outcome>>,
    soak: Option<&anyhow::Result<Soak>>,
    conformance: Option<&anyhow::Result<String>>,
    context: &Context,
) -> String {
    let mut page = String::from("# Fault suite, long form\n\n");
    let mut line = |text: String| {
        page.push_str(&text);
        page.push('\n');
    };
    line(format!(
        "Commit {}, {} build, {}, {}, Linux {}, {} cores.",
        version("git", &["rev-parse", "--short=12", "HEAD"]),
        context.build,
        version("redis-server", &["--version"])
            .split(" sha")
            .next()
            .unwrap_or_default(),
        version("rustc", &["--version"]),
        version("uname", &["-r"]),
        std::thread::available_parallelism().map_or(0, usize::from),
    ));
    line(format!(
        "{} edges and {} replicas of each service, Redis with a replica and `appendfsync always`.",
        settings.plan.edges, settings.plan.replicas
    ));
    context.notes.iter().for_each(|note| line(note.clone()));
    line(String::new());
    match outcome {
        Some(Ok(outcome)) => faults(&mut page, settings, outcome),
        Some(Err(error)) => {
            _ = writeln!(page, "## Faults\n\n**The run failed:** {}\n", first_line(error));
        }
        None => {}
    }
    match conformance {
        Some(Ok(text)) => _ = writeln!(page, "## Conformance while replicas are killed\n\n{text}\n"),
        Some(Err(error)) => {
            _ = writeln!(
                page,
                "## Conformance while replicas are killed\n\n**Failed:** {}\n",
                first_line(error)
            );
        }
        None => {}
    }
    match soak {
        Some(Ok(soak)) => _ = writeln!(page, "## Soak\n\n{}", soak.table()),
        Some(Err(error)) => _ = writeln!(page, "## Soak\n\n**Failed:** {}\n", first_line(error)),
        None => {}
    }
    page
}

fn faults(page: &mut String, settings: &Settings, outcome: &Outcome) {
    let counts = &outcome.verdict.counts;
    let broken = |name: &str| {
        let named =
            |violation: &&super::checker::Violation| format!("{:?}", violation.broken).starts_with(name);
        outcome.verdict.violations.iter().filter(named).count()
    };
    _ = writeln!(page, "## Faults\n");
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
