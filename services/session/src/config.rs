use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use redis_store::RedisArgs;
use serving::{GrpcLimits, ListenAddr, ListenArgs};
use telemetry::TelemetryArgs;

use crate::{operations::Limits, routing::LinkSettings, store::StoreSettings, tasks::TaskSettings};

/// Settings of the binary.
#[derive(Debug, Parser)]
#[command(
    name = "everything-session",
    version,
    about = "MCP sessions: ownership, event log, and the link to every edge"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Where the service listens: host:port or unix:/path.
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:50052", global = true)]
    pub listen_addr: ListenAddr,
    #[command(flatten)]
    pub listen: ListenArgs,
    #[command(flatten)]
    pub config: Config,
    #[command(flatten)]
    pub redis: RedisArgs,
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Command {
    /// Asks the service at LISTEN_ADDR whether it serves; for containers.
    Healthcheck,
}

/// Settings of the service, also within the all-in-one.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Config {
    /// Sliding time to live of a session, seconds. An open stream counts as use.
    #[arg(long, env = "SESSION_TTL", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=30 * 24 * 3600))]
    pub session_ttl: u64,
    /// Live sessions that one user may have.
    #[arg(long, env = "SESSION_MAX_PER_USER", default_value_t = 20_000)]
    pub session_max_per_user: usize,
    /// Resources that one session may subscribe to.
    #[arg(long, env = "SESSION_MAX_SUBSCRIPTIONS", default_value_t = 1_000)]
    pub session_max_subscriptions: usize,
    /// Events that a session's log keeps for clients that come back; the oldest give way.
    #[arg(long, env = "SESSION_LOG_MAX_EVENTS", default_value_t = 1_000)]
    pub session_log_max_events: usize,
    /// The same in bytes.
    #[arg(long, env = "SESSION_LOG_MAX_BYTES", default_value_t = 8 * 1024 * 1024)]
    pub session_log_max_bytes: usize,
    /// How long such an event is kept, seconds.
    #[arg(long, env = "SESSION_LOG_MAX_AGE", default_value_t = 3_600, value_parser = clap::value_parser!(u64).range(1..=30 * 24 * 3600))]
    pub session_log_max_age: u64,
    /// How often an edge and this service show each other that they are alive, milliseconds.
    #[arg(long, env = "SESSION_HEARTBEAT_MS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub session_heartbeat_ms: u64,
    /// How long an edge may be away before the calls that it ran are ended or moved, milliseconds. At least two heartbeats are
    /// waited.
    #[arg(long, env = "SESSION_EDGE_GRACE_MS", default_value_t = 5_000)]
    pub session_edge_grace_ms: u64,
    /// How long a task and its result are kept, from its creation, seconds.
    #[arg(long, env = "TASK_TTL", default_value_t = 3_600, value_parser = clap::value_parser!(u64).range(1..=30 * 24 * 3600))]
    pub task_ttl: u64,
    /// Tasks that one user may have, ended ones included, until they expire.
    #[arg(long, env = "TASK_MAX_PER_USER", default_value_t = 1_000)]
    pub task_max_per_user: usize,
    /// How long the edge that runs a task may be silent before another one takes it over, milliseconds. Edges show
    /// themselves every second. An edge whose link broke has half a second.
    #[arg(long, env = "TASK_LEASE_MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(2_500..=600_000))]
    pub task_lease_ms: u64,
    #[command(flatten)]
    pub grpc: GrpcLimits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            session_ttl: 300,
            session_max_per_user: 20_000,
            session_max_subscriptions: 1_000,
            session_log_max_events: 1_000,
            session_log_max_bytes: 8 * 1024 * 1024,
            session_log_max_age: 3_600,
            session_heartbeat_ms: 2_000,
            session_edge_grace_ms: 5_000,
            task_ttl: 3_600,
            task_max_per_user: 1_000,
            task_lease_ms: 5_000,
            grpc: GrpcLimits::default(),
        }
    }
}

impl Config {
    pub(crate) fn ttl(&self) -> Duration {
        Duration::from_secs(self.session_ttl)
    }

    pub(crate) fn store(&self) -> StoreSettings {
        StoreSettings {
            ttl: self.ttl(),
            max_sessions_per_user: self.session_max_per_user,
            max_subscriptions: self.session_max_subscriptions,
            log_max_entries: self.session_log_max_events.max(1),
            log_max_bytes: self.session_log_max_bytes,
            log_max_age: Duration::from_secs(self.session_log_max_age),
            ..StoreSettings::default()
        }
    }

    pub(crate) fn links(&self) -> LinkSettings {
        let heartbeat = Duration::from_millis(self.session_heartbeat_ms);
        LinkSettings {
            heartbeat,
            // An edge that moved to another replica has its lease renewed within one heartbeat.
            edge_grace: Duration::from_millis(self.session_edge_grace_ms).max(heartbeat * 2),
            ttl: self.ttl(),
        }
    }

    pub(crate) fn tasks(&self) -> TaskSettings {
        TaskSettings {
            ttl: Duration::from_secs(self.task_ttl),
            lease: Duration::from_millis(self.task_lease_ms),
            max_per_user: self.task_max_per_user,
            max_bytes: self.grpc.max_message_bytes / 2,
            ..TaskSettings::default()
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            // Room for the rest of the request in its gRPC message.
            max_message_bytes: self.grpc.max_message_bytes.saturating_sub(64 * 1024),
            ..Limits::default()
        }
    }
}
