//! What happens by itself, told to every client it concerns: once per tick, however many replicas run.

mod random_log;
mod resource_updates;
mod stderr;

use std::{sync::Arc, time::Duration};

use change_feed::{Change, ChangeFeed, Tick};
use everything_proto::events::v1::change;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

/// How often each change comes round.
#[derive(Clone, Debug)]
pub struct Periods {
    pub resource_updates: Duration,
    pub random_log: Duration,
    pub stderr: Duration,
}

/// A change that comes round.
type Make = fn() -> change::Change;

impl Default for Periods {
    fn default() -> Self {
        Self {
            resource_updates: Duration::from_secs(10),
            random_log: Duration::from_secs(20),
            stderr: Duration::from_secs(30),
        }
    }
}

/// Sends every periodic change until the shutdown.
pub async fn run(feed: Arc<dyn ChangeFeed>, periods: Periods, shutdown: CancellationToken) {
    let table: [(Tick, Make); 3] = [
        (
            Tick {
                name: "resource-updates",
                period: periods.resource_updates,
            },
            resource_updates::make,
        ),
        (
            Tick {
                name: "random-log",
                period: periods.random_log,
            },
            random_log::make,
        ),
        (
            Tick {
                name: "stderr",
                period: periods.stderr,
            },
            stderr::make,
        ),
    ];
    let mut tasks = JoinSet::new();
    for (tick, make) in table {
        // A period of zero turns a change off.
        if !tick.period.is_zero() {
            tasks.spawn(
                shutdown
                    .clone()
                    .run_until_cancelled_owned(come_round(feed.clone(), tick, make)),
            );
        }
    }
    while tasks.join_next().await.is_some() {}
}

async fn come_round(feed: Arc<dyn ChangeFeed>, tick: Tick, make: Make) {
    let mut ticks = tokio::time::interval_at(Instant::now() + tick.period, tick.period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let change = Change {
            change: Some(make()),
            ..Change::default()
        };
        if let Err(error) = feed.publish_once(&tick, change).await {
            tracing::warn!(%error, tick = tick.name, "a periodic change was not sent");
        }
    }
}
