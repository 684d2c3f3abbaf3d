use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::StreamExt;
use tokio::{sync::watch, time::Instant};

use crate::{
    Change, ChangeFeed, ChangeId, ChangeStream, Error, Missed, Tick, publishing::Publishing,
    redis::LOG_LENGTH,
};

/// A feed within one process.
#[derive(Clone)]
pub struct MemoryFeed(Arc<Shared>);

struct Shared {
    /// Changes that the log holds.
    length: usize,
    log: Mutex<Log>,
    grown: watch::Sender<ChangeId>,
}

#[derive(Default)]
struct Log {
    changes: VecDeque<(ChangeId, Change)>,
    latest: ChangeId,
    /// The newest that the log holds no more.
    removed: ChangeId,
    ticks: HashMap<&'static str, Instant>,
}

impl Default for MemoryFeed {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryFeed {
    pub fn new() -> Self {
        Self::of_length(LOG_LENGTH)
    }

    /// One whose log holds so many changes.
    pub fn of_length(length: usize) -> Self {
        Self(Arc::new(Shared {
            length,
            log: Mutex::default(),
            grown: watch::Sender::new(ChangeId::ZERO),
        }))
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, log: &mut Log, change: Change) -> ChangeId {
        let ms = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        // Ids rise even where the clock does not.
        let id = if ms > log.latest.ms {
            ChangeId { ms, seq: 0 }
        } else {
            ChangeId {
                ms: log.latest.ms,
                seq: log.latest.seq + 1,
            }
        };
        log.latest = id;
        log.changes.push_back((id, change));
        if log.changes.len() > self.0.length
            && let Some((oldest, _)) = log.changes.pop_front()
        {
            log.removed = oldest;
        }
        self.0.grown.send_replace(id);
        id
    }

    fn after(&self, after: ChangeId) -> Missed {
        let log = self.log();
        Missed {
            changes: log
                .changes
                .iter()
                .filter(|(id, _)| *id > after)
                .cloned()
                .collect(),
            truncated: log.removed > after,
        }
    }
}

#[async_trait]
impl ChangeFeed for MemoryFeed {
    async fn publish(&self, change: Change) -> Result<ChangeId, Error> {
        let publishing = Publishing::of(change);
        let id = self.append(&mut self.log(), publishing.change.clone());
        publishing.end(Ok(Some(id)))?;
        Ok(id)
    }

    async fn publish_once(&self, tick: &Tick, change: Change) -> Result<Option<ChangeId>, Error> {
        let mut log = self.log();
        let now = Instant::now();
        // Nine tenths, as in Redis: the next tick of the same replica must not be taken for this one.
        let silent = tick.period.mul_f64(0.9).max(Duration::from_millis(1));
        if log
            .ticks
            .get(tick.name)
            .is_some_and(|last| now.duration_since(*last) < silent)
        {
            return Ok(None);
        }
        log.ticks.insert(tick.name, now);
        let publishing = Publishing::of(change);
        let id = self.append(&mut log, publishing.change.clone());
        publishing.end(Ok(Some(id)))
    }

    async fn latest(&self) -> Result<ChangeId, Error> {
        Ok(self.log().latest)
    }

    async fn missed(&self, after: ChangeId) -> Result<Missed, Error> {
        Ok(self.after(after))
    }

    async fn subscribe(&self) -> Result<ChangeStream, Error> {
        let feed = self.clone();
        let grown = self.0.grown.subscribe();
        let start = self.log().latest;
        let batches = futures::stream::unfold((feed, grown, start), |(feed, mut grown, last)| async move {
            loop {
                let batch = feed.after(last);
                if batch.truncated {
                    return None;
                }
                if let Some((newest, _)) = batch.changes.last() {
                    let newest = *newest;
                    return Some((futures::stream::iter(batch.changes), (feed, grown, newest)));
                }
                grown.changed().await.ok()?;
            }
        });
        Ok(ChangeStream::new(batches.flatten().boxed()))
    }
}
