//! Word of changes, from and to every replica. It may get lost: whoever depends on a change also asks.

mod redis;

use async_trait::async_trait;
use everything_proto::session::v1::TaskChanged;
use tokio::sync::broadcast;

pub use self::redis::RedisTaskNews;

/// Changes that may wait for one watcher.
const QUEUE: usize = 1_024;

#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    Changed(TaskChanged),
    /// Changes may have been missed.
    Gap,
}

#[async_trait]
pub trait TaskNews: Send + Sync + 'static {
    /// Tells every watcher, at every replica, if it can.
    async fn announce(&self, changed: TaskChanged);

    fn watch(&self) -> broadcast::Receiver<Heard>;
}

/// For the one replica of an embedded store.
pub struct MemoryTaskNews(broadcast::Sender<Heard>);

impl MemoryTaskNews {
    pub fn new() -> Self {
        Self(broadcast::Sender::new(QUEUE))
    }
}

impl Default for MemoryTaskNews {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl TaskNews for MemoryTaskNews {
    async fn announce(&self, changed: TaskChanged) {
        // Nobody watching is no fault.
        _ = self.0.send(Heard::Changed(changed));
    }

    fn watch(&self) -> broadcast::Receiver<Heard> {
        self.0.subscribe()
    }
}
