//! Tasks: tool calls that outlive the request that made them, and whoever runs them.
//!
//! A record changes by compare-and-set, so any replica can take any step; [`news`] says that it changed, and runners and
//! owners that missed it find out by asking.

mod grpc;
pub mod news;
mod operations;
mod record;
mod runners;
pub mod store;

use std::{sync::Arc, time::Duration};

pub(crate) use grpc::TaskGrpc;
pub use news::{MemoryTaskNews, RedisTaskNews, TaskNews};
pub(crate) use operations::Operations;
pub use record::{Record, TaskId};
pub use store::{MemoryTaskStore, RedisTaskStore, TaskStore};

/// Times and bounds of tasks.
#[derive(Clone, Debug)]
pub struct TaskSettings {
    /// How long a task is kept, from its creation.
    pub ttl: Duration,
    /// How often an owner should ask.
    pub poll_interval: Duration,
    /// How long a runner may be silent before others may take its task over.
    pub lease: Duration,
    /// The same for a runner whose link broke.
    pub grace: Duration,
    /// Tasks of one user, ended ones included, until they expire.
    pub max_per_user: usize,
    /// Bytes of a call, and of a result.
    pub max_bytes: usize,
}

impl Default for TaskSettings {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(3_600),
            poll_interval: Duration::from_secs(1),
            lease: Duration::from_secs(5),
            // An edge renews when it loses its link, and when it has one again: within a tenth of a second, mostly.
            grace: Duration::from_millis(500),
            max_per_user: 1_000,
            max_bytes: 4 * 1024 * 1024,
        }
    }
}

/// What tasks are kept in and told through.
#[derive(Clone)]
pub struct TaskDependencies {
    pub store: Arc<dyn TaskStore>,
    pub news: Arc<dyn TaskNews>,
}
