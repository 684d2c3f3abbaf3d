//! Tasks that this edge runs: it holds their leases, and gives way when it loses one.
//!
//! The session service keeps tasks and says who may run them. An edge runs what it created or continued, and claims what
//! nobody runs: it hears of such tasks at once, and asks every second in case it did not.

mod keeper;
mod operations;
mod runner;
mod telling;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use everything_proto::session::v1::{TaskRun, task_service_client::TaskServiceClient};
use serving::{CancellationToken, GrpcChannel};
use telemetry::{
    conventions::mcp::{EXECUTE_TOOL, GEN_AI_OPERATION_NAME, GEN_AI_TOOL_NAME},
    propagation::{self, TraceParent},
    spans,
};
use tokio::{
    sync::{Notify, broadcast},
    time::{Instant, timeout},
};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

pub use operations::{NewTask, answer, create, failure, refuse};

use super::{Mcp, link::Link};

/// Tasks that one edge runs at once. More wait, for this edge or another one.
const MAX_RUNS: usize = 256;
/// How long an edge that ends waits for the session service to take its tasks back.
const GIVING_BACK: Duration = Duration::from_secs(2);
/// Changes that may wait for one listener.
const NEWS_QUEUE: usize = 1_024;

/// What concerns clients that listen to tasks.
#[derive(Clone, Debug)]
pub enum TaskNews {
    Changed(Arc<str>),
    /// Changes may have been missed.
    Gap,
}

/// A handle on the tasks. Cheap to clone.
#[derive(Clone)]
pub struct Tasks {
    client: TaskServiceClient<GrpcChannel>,
    link: Link,
    running: Arc<Mutex<HashMap<String, Running>>>,
    news: broadcast::Sender<TaskNews>,
    /// There may be something to claim.
    wake: Arc<Notify>,
    shutdown: CancellationToken,
    /// Rounds that have not said how they ended.
    rounds: TaskTracker,
}

/// A round under way here.
struct Running {
    run: u64,
    /// What to show the owner from the next renewal on.
    message: String,
    lease: Duration,
    lease_until: Instant,
    lost: CancellationToken,
}

impl Tasks {
    pub fn new(client: TaskServiceClient<GrpcChannel>, link: Link, shutdown: CancellationToken) -> Self {
        Self {
            client,
            link,
            running: Arc::default(),
            news: broadcast::Sender::new(NEWS_QUEUE),
            wake: Arc::default(),
            shutdown,
            rounds: TaskTracker::new(),
        }
    }

    /// Starts what runs beside requests, until the shutdown.
    pub fn start(mcp: &Mcp) {
        tokio::spawn(keeper::hear(mcp.clone()));
        tokio::spawn(keeper::keep_leases(mcp.clone()));
        tokio::spawn(keeper::claim(mcp.clone()));
    }

    /// Changes from now on.
    pub fn news(&self) -> broadcast::Receiver<TaskNews> {
        self.news.subscribe()
    }

    /// Who to say runs a new task; nobody when there is no room here.
    pub fn runner(&self) -> String {
        if self.room() > 0 {
            self.link.edge_id().to_owned()
        } else {
            String::new()
        }
    }

    /// Runs a round, until it ends, or is not this edge's any more. Its lease began after it was asked for.
    pub fn begin(mcp: &Mcp, run: TaskRun, asked_at: Instant) {
        let name = run.call.as_ref().map_or("", |call| &call.name);
        // The request is answered long before the task ends: a trace of its own, which names what led to it.
        let causes = [TraceParent::from(run.trace.clone()), propagation::current()];
        let span = spans::caused_by(format!("run task {name}"), &causes);
        spans::set_text(&span, GEN_AI_TOOL_NAME, name);
        spans::set(&span, GEN_AI_OPERATION_NAME, EXECUTE_TOOL);
        mcp.tasks
            .rounds
            .spawn(runner::run(mcp.clone(), run, asked_at).instrument(span));
    }

    /// After a shutdown: waits until every round that was under way here is given back, for others to take.
    pub async fn given_back(&self) {
        self.rounds.close();
        if timeout(GIVING_BACK, self.rounds.wait()).await.is_err() {
            // Others take them when the leases end.
            tracing::warn!(tasks = self.rounds.len(), "tasks were not given back in time");
        }
    }

    /// None without a link: by its breaking, others learn of the death of this edge.
    fn room(&self) -> usize {
        if self.shutdown.is_cancelled() || !self.link.is_up() {
            return 0;
        }
        MAX_RUNS.saturating_sub(self.running().len())
    }

    /// A panic elsewhere leaves the table whole.
    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use everything_proto::session::v1::session_service_client::SessionServiceClient;
    use serving::{Upstream, UpstreamSettings};
    use telemetry::Metrics;

    use super::*;
    use crate::{
        config::EdgeConfig,
        mcp::{in_flight::InFlight, leaving::Leaving, session_cache::SessionCache},
    };

    /// Should it die, nobody would learn of it, and its tasks would wait until their leases end.
    #[tokio::test]
    async fn an_edge_without_a_link_offers_to_run_nothing() {
        let (_, nobody) = serving::memory();
        let shutdown = CancellationToken::new();
        let upstream = Upstream::connect(
            "everything.session.v1.SessionService",
            nobody,
            UpstreamSettings::default(),
            shutdown.clone(),
        );
        let settings = EdgeConfig::default().check().unwrap().mcp;
        let (link, _calls) = Link::start(
            SessionServiceClient::new(upstream.channel()),
            Arc::new(SessionCache::new(8, Duration::from_secs(1), &Metrics::none())),
            Arc::new(InFlight::new(settings.calls)),
            &Leaving::start(shutdown.clone(), Duration::ZERO),
        );
        let tasks = Tasks::new(TaskServiceClient::new(upstream.channel()), link, shutdown);
        assert_eq!(tasks.runner(), "");
    }
}
