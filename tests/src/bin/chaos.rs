//! `scripts/chaos`: the long form of the fault suite.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use system_tests::chaos::{
    cluster::Plan,
    conformance,
    faults::Kind,
    report::{self, Context, Parts},
    run::{self, Settings},
    soak,
    workload::Load,
};
use tokio::signal::unix::{SignalKind, signal};

/// Between two replicas that are killed while the conformance suite runs.
const KILL_EVERY: Duration = Duration::from_secs(1);

/// Runs clients against a cluster that is under fire, and proves from what they saw that nothing was lost. Writes a page
/// on it. A seed brings its schedule of faults back.
#[derive(Parser)]
#[command(name = "chaos")]
struct Arguments {
    /// Of the schedule and of the clients' habits. Without one: a new one, which the report names.
    #[arg(long)]
    seed: Option<u64>,
    /// Faults, those that come once on their own included.
    #[arg(long, default_value_t = 500)]
    faults: usize,
    /// Events that clients have to see, at least.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Clients at once.
    #[arg(long, default_value_t = 200)]
    sessions: usize,
    /// Faults at the same time.
    #[arg(long, default_value_t = 2)]
    lanes: usize,
    /// Faults of a run of its own behind Redis sentinels: failovers, and kills beside. 0 leaves it out.
    #[arg(long, default_value_t = 24)]
    sentinel_faults: usize,
    /// Only kinds of faults whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Numbered events of a call, at the most.
    #[arg(long, default_value_t = 80)]
    call_events: u32,
    /// Milliseconds between two events of a call.
    #[arg(long, default_value_t = 40)]
    pause_ms: u64,
    /// Milliseconds between two calls of a client, about.
    #[arg(long, default_value_t = 500)]
    think_ms: u64,
    /// Seconds in which every call has to be answered. One whose edge dies three times runs four times.
    #[arg(long, default_value_t = 120)]
    deadline: u64,
    /// Minutes after which a run is over with whatever there is.
    #[arg(long, default_value_t = 60)]
    longest: u64,
    /// How long the soak lasts, such as `30m` or `90s`; `0` leaves it out.
    #[arg(long, default_value = "30m", value_parser = duration)]
    soak: Duration,
    /// Clients at once during the soak.
    #[arg(long, default_value_t = 100)]
    soak_sessions: usize,
    /// Where the page goes.
    #[arg(long, default_value = "chaos-report.md")]
    report: PathBuf,
    /// A line for the page; more than one is fine.
    #[arg(long)]
    note: Vec<String>,
    /// Leaves out the conformance suite.
    #[arg(long)]
    no_conformance: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut terminated = signal(SignalKind::terminate())?;
    // Dropped, a run takes its processes with it.
    tokio::select! {
        ended = suite(Arguments::parse()) => ended,
        _ = terminated.recv() => Ok(ExitCode::FAILURE),
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn suite(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let seed = arguments.seed.unwrap_or_else(rand::random);
    let directory = std::env::temp_dir().join(format!("chaos-{}", std::process::id()));
    let kinds: Vec<Kind> = Kind::all()
        .into_iter()
        .filter(|kind| {
            arguments
                .only
                .as_ref()
                .is_none_or(|only| kind.to_string().contains(only))
        })
        .collect();
    let each_once = kinds[..kinds.len().min(arguments.faults)].to_vec();
    let settings = Settings {
        seed,
        plan: Plan::default(),
        load: Load {
            sessions: arguments.sessions,
            events: arguments.call_events,
            pause: Duration::from_millis(arguments.pause_ms),
            think: Duration::from_millis(arguments.think_ms),
            calls_per_session: 30,
            deadline: Duration::from_secs(arguments.deadline),
            first_session: 1,
        },
        faults: arguments.faults - each_once.len(),
        each_once,
        at_random: kinds,
        lanes: arguments.lanes,
        events: arguments.events,
        longest: Duration::from_secs(arguments.longest * 60),
        directory: directory.join("faults"),
    };
    let mut sound = true;
    let outcome = match arguments.faults + arguments.events as usize {
        0 => None,
        _ => Some(run::run(&settings).await),
    };
    if let Some(outcome) = &outcome {
        sound &= judge_run("faults", outcome, &settings);
    }
    let failovers = arguments.sentinel_faults.div_ceil(3);
    let sentinels = Settings {
        plan: Plan::default().behind_sentinels(),
        // At random they would be rare.
        each_once: vec![Kind::RedisFailover; failovers],
        at_random: Kind::behind_sentinels(),
        // Of one another the failovers are told apart by what recovers: they come one at a time.
        lanes: 1,
        faults: arguments.sentinel_faults - failovers,
        events: 0,
        directory: directory.join("sentinels"),
        ..settings.clone()
    };
    let failed_over = match arguments.sentinel_faults {
        0 => None,
        _ => Some(run::run(&sentinels).await),
    };
    if let Some(outcome) = &failed_over {
        sound &= judge_run("sentinels", outcome, &sentinels);
    }
    let conforms = match arguments.no_conformance {
        true => None,
        false => {
            let killed = conformance::under_fire(seed, KILL_EVERY, &directory.join("conformance")).await;
            Some(killed.map(|killed| killed.to_string()))
        }
    };
    if let Some(conforms) = &conforms {
        let proven = conforms.as_ref().map(drop).map_err(|error| format!("{error:#}"));
        sound &= judge("conformance", proven);
    }
    let soaked = match arguments.soak {
        Duration::ZERO => None,
        length => {
            let load = Load {
                calls_per_session: 4,
                sessions: arguments.soak_sessions,
                ..settings.load.clone()
            };
            let soak = soak::Settings {
                seed,
                load,
                session_ttl: Duration::from_secs(60),
                warm_up: (length / 10).clamp(Duration::from_secs(10), Duration::from_secs(120)),
                length,
                directory: directory.join("soak"),
            };
            Some(soak::soak(&soak).await)
        }
    };
    if let Some(soaked) = &soaked {
        let proven = soaked.as_ref().map_err(|error| format!("{error:#}"));
        sound &= judge(
            "soak",
            proven.and_then(|soaked| soaked.prove().map_err(|error| format!("{error:#}"))),
        );
    }
    let context = Context {
        build: if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        }
        .to_owned(),
        notes: arguments.note.clone(),
    };
    let parts = Parts {
        faults: outcome.as_ref().map(|outcome| (&settings, outcome)),
        sentinels: failed_over.as_ref().map(|outcome| (&sentinels, outcome)),
        conformance: conforms.as_ref(),
        soak: soaked.as_ref(),
    };
    let page = report::page(&parts, &context);
    std::fs::write(&arguments.report, &page).context("the report cannot be written")?;
    say(&page);
    if sound {
        _ = std::fs::remove_dir_all(&directory);
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("seed {seed}; logs are in {}", directory.display()));
    Ok(ExitCode::FAILURE)
}

fn judge_run(what: &str, outcome: &anyhow::Result<run::Outcome>, settings: &Settings) -> bool {
    let proven = match outcome {
        Ok(outcome) => outcome.prove(settings).map_err(|error| format!("{error:#}")),
        Err(error) => Err(format!("{error:#}")),
    };
    judge(what, proven)
}

fn judge(what: &str, proven: Result<(), String>) -> bool {
    match proven {
        Ok(()) => true,
        Err(error) => {
            say(&format!("{what}: {error}"));
            false
        }
    }
}

#[expect(clippy::print_stdout, reason = "a program for people")]
fn say(text: &str) {
    println!("{text}");
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60.0),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let number: f64 = number.parse().map_err(|_| "use 30m, 90s or 0".to_owned())?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| "use 30m, 90s or 0".to_owned())
}
