//! The MCP transports: Streamable HTTP on `/mcp`, and HTTP+SSE of 2024-11-05 on `/sse` and `/message`.
//!
//! A request goes one way: [`post`] reads it → [`sessions`] says whose it is → a revision's adapter makes it neutral →
//! [`requests`] asks a service, or [`calls`] runs a feature call → [`exchange`] sends what comes out, as JSON or as a
//! stream. An [`operation`] is what traces show of it. Whatever comes to the edge unasked comes over the [`link`].

mod answers;
mod calls;
mod delete;
mod described;
mod event_body;
mod exchange;
mod get;
mod headers;
mod in_flight;
mod initialize;
mod input_bridge;
mod leaving;
mod legacy_message;
mod legacy_sse;
mod link;
mod notifications;
mod open_streams;
mod operation;
mod post;
mod refusal;
mod requests;
mod scopes;
mod session_cache;
mod session_tasks;
mod sessions;
mod stateless;
mod streams;
mod takeover;
mod tasks;
mod tool_facts;

pub use delete::delete;
pub use get::get;
pub use in_flight::CallLimits;
pub use legacy_message::legacy_message;
pub use legacy_sse::legacy_sse;
pub use open_streams::StreamLimits;
pub use operation::http_version;
pub use post::post;
pub use stateless::StateKeys;

use std::{sync::Arc, time::Duration};

use serving::CancellationToken;
use telemetry::Metrics;
use tokio::time::{Instant, timeout_at};

use self::{
    described::DescribedCache, in_flight::InFlight, leaving::Leaving, link::Link, open_streams::OpenStreams,
    session_cache::SessionCache, sessions::Sessions, tasks::Tasks, tool_facts::KnownTools,
};
use crate::Clients;

/// Bounds of the transports.
#[derive(Clone, Debug)]
pub struct McpSettings {
    /// Sessions that the edge remembers.
    pub session_cache_size: u64,
    /// How long it remembers a session without asking again. Changes are heard of at once regardless.
    pub session_cache_age: Duration,
    /// How long a client may take to answer a request of the server.
    pub input_timeout: Duration,
    /// How long a feature may be silent during a call.
    pub call_idle_timeout: Duration,
    /// How long a client whose connection the server ended is to wait before it comes back, milliseconds.
    pub retry_ms: u64,
    /// How long one connection carries a stream of a client that knows to come back. None: as long as it lasts.
    pub max_stream_age: Option<Duration>,
    /// How long calls get to end after a shutdown began.
    pub drain: Duration,
    pub calls: CallLimits,
    pub streams: StreamLimits,
    /// Whether clients say on whose behalf they come. Otherwise all are the same user.
    pub knows_users: bool,
    /// Seal what clients keep between two rounds of a call.
    pub state_keys: StateKeys,
}

/// What the transports share. Cheap to clone.
#[derive(Clone)]
pub struct Mcp {
    clients: Clients,
    sessions: Sessions,
    link: Link,
    in_flight: Arc<InFlight>,
    leaving: Leaving,
    open_streams: OpenStreams,
    described: DescribedCache,
    known_tools: KnownTools,
    tasks: Tasks,
    state_keys: StateKeys,
    settings: McpSettings,
}

impl Mcp {
    /// Connects to the session service. What runs beside requests ends with [`Mcp::drained`].
    pub fn start(
        clients: Clients,
        settings: McpSettings,
        metrics: &Metrics,
        shutdown: CancellationToken,
    ) -> Self {
        let cache = Arc::new(SessionCache::new(
            settings.session_cache_size,
            settings.session_cache_age,
            metrics,
        ));
        let in_flight = Arc::new(InFlight::new(settings.calls));
        let leaving = Leaving::start(shutdown.clone(), settings.drain);
        let (link, taken_over) = Link::start(
            clients.session.clone(),
            cache.clone(),
            in_flight.clone(),
            &leaving,
        );
        let stopped = leaving.stopped().clone();
        tokio::spawn(stopped.clone().run_until_cancelled_owned(cache.clone().sweep()));
        let known_tools = KnownTools::start(link.news(), stopped);
        let tasks = Tasks::new(clients.tasks.clone(), link.clone(), shutdown);
        let sessions = Sessions::new(clients.session.clone(), cache, link.clone());
        let mcp = Self {
            clients,
            sessions,
            link,
            in_flight,
            leaving,
            open_streams: OpenStreams::new(settings.streams),
            described: described::cache(),
            known_tools,
            tasks,
            state_keys: settings.state_keys.clone(),
            settings,
        };
        Tasks::start(&mcp);
        tokio::spawn(takeover::run(mcp.clone(), taken_over));
        mcp
    }

    /// Waits for calls that are under way, whether or not their clients are still there, until `deadline`; then ends what
    /// runs beside requests, and gives tasks back.
    pub async fn drained(&self, deadline: Instant) {
        if timeout_at(deadline, self.in_flight.until_idle()).await.is_err() {
            tracing::warn!("calls were still under way at the drain deadline");
        }
        self.leaving.stopped().cancel();
        self.tasks.given_back().await;
    }
}
