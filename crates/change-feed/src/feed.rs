use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};

use crate::{Change, ChangeId};

#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("the change feed is unavailable: {0}")]
    Unavailable(#[from] redis_store::Error),
}

/// A change that comes round every `period`, sent once however many replicas send it.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    pub name: &'static str,
    pub period: Duration,
}

/// A bounded log of changes with live readers.
#[async_trait]
pub trait ChangeFeed: Send + Sync + 'static {
    /// Logs and announces a change.
    async fn publish(&self, change: Change) -> Result<ChangeId, Error>;

    /// Like [`ChangeFeed::publish`], but only the first replica to come within a period is heard: `None` for others.
    async fn publish_once(&self, tick: &Tick, change: Change) -> Result<Option<ChangeId>, Error>;

    /// The id of the latest change; [`ChangeId::ZERO`] where there was none.
    async fn latest(&self) -> Result<ChangeId, Error>;

    /// What came after `after`.
    async fn missed(&self, after: ChangeId) -> Result<Missed, Error>;

    /// The changes after `after` that the log still holds, in order.
    async fn since(&self, after: ChangeId) -> Result<Vec<(ChangeId, Change)>, Error> {
        Ok(self.missed(after).await?.changes)
    }

    /// Changes from now on, in order, each once. The stream ends when some were lost; [`ChangeFeed::missed`] knows what is
    /// left of them.
    async fn subscribe(&self) -> Result<ChangeStream, Error>;
}

/// What a reader has missed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Missed {
    /// In order.
    pub changes: Vec<(ChangeId, Change)>,
    /// There was more than the log still holds: whoever keeps copies of anything asks again for all of it.
    pub truncated: bool,
}

/// Live changes.
pub struct ChangeStream(BoxStream<'static, (ChangeId, Change)>);

impl ChangeStream {
    pub(crate) fn new(stream: BoxStream<'static, (ChangeId, Change)>) -> Self {
        Self(stream)
    }

    /// The next change; `None` when the feed has ended, or changes were lost.
    pub async fn next(&mut self) -> Option<(ChangeId, Change)> {
        self.0.next().await
    }
}
