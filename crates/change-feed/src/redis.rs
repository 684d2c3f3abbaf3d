use std::sync::LazyLock;

use async_trait::async_trait;
use futures::StreamExt;
use prost::Message;
use redis::streams::StreamRangeReply;
use redis_store::{Delivery, Redis, Script, keys};

use tracing::Instrument;

use crate::{Change, ChangeFeed, ChangeId, ChangeStream, Error, Missed, Tick, publishing::Publishing};

/// Changes that the log holds, about.
pub(crate) const LOG_LENGTH: usize = 10_000;
/// The log ends this long after the last change.
const LOG_AGE_MS: u64 = 3_600_000;
/// Changes read at once.
const PAGE: usize = 1_000;

// KEYS: log, tick. ARGV: payload, length, age in ms, channel, silence in ms (0: not periodic), how to publish.
static PUBLISH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "publish_change",
        r"
        if ARGV[5] ~= '0' and not redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[5]) then
            return false
        end
        local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
        local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'change', ARGV[1],
            'after', last and last[1] or '')
        redis.call('PEXPIRE', KEYS[1], ARGV[3])
        redis.call(ARGV[6], ARGV[4], id)
        return id
        ",
    )
});

/// The feed on Redis, shared by all replicas.
#[derive(Clone)]
pub struct RedisFeed {
    redis: Redis,
    /// Changes that the log holds, about.
    length: usize,
}

impl RedisFeed {
    pub fn new(redis: Redis) -> Self {
        Self::of_length(redis, LOG_LENGTH)
    }

    /// One whose log holds about so many changes.
    pub fn of_length(redis: Redis, length: usize) -> Self {
        Self { redis, length }
    }

    async fn append(&self, tick: Option<&Tick>, change: Change) -> Result<Option<ChangeId>, Error> {
        let publishing = Publishing::of(change);
        let appended = self
            .log(tick, &publishing.change)
            .instrument(publishing.span.clone())
            .await;
        publishing.end(appended)
    }

    async fn log(&self, tick: Option<&Tick>, change: &Change) -> Result<Option<ChangeId>, Error> {
        // Less than the period, so that the next tick of the same replica is not taken for this one.
        let silence = tick.map_or(0, |tick| {
            u64::try_from(tick.period.as_millis()).unwrap_or(u64::MAX) * 9 / 10
        });
        let mut commands = self.redis.durable();
        let id: Option<String> = PUBLISH
            .key(keys::changes::LOG)
            .key(keys::changes::tick(tick.map_or("", |tick| tick.name)))
            .arg(change.encode_to_vec())
            .arg(self.length)
            .arg(LOG_AGE_MS)
            .arg(keys::changes::CHANNEL)
            .arg(silence)
            .arg(self.redis.publish_command())
            .invoke_async(&mut commands)
            .await
            .map_err(redis_store::Error::from)?;
        id.map(|id| parse(&id)).transpose()
    }

    /// Truncated where the first entry does not follow `after`, or something before it: each names its predecessor. The
    /// first of a log that was begun anew names none; it follows only what was before all changes.
    async fn page(&self, after: ChangeId) -> Result<Missed, Error> {
        let mut commands = self.redis.commands();
        let reply: StreamRangeReply = redis::cmd("XRANGE")
            .arg(keys::changes::LOG)
            .arg(format!("({after}"))
            .arg("+")
            .arg("COUNT")
            .arg(PAGE)
            .query_async(&mut commands)
            .await
            .map_err(redis_store::Error::from)?;
        let mut changes = Vec::with_capacity(reply.ids.len());
        let mut truncated = false;
        for entry in reply.ids {
            if changes.is_empty() {
                let follows: Option<String> = entry.get("after");
                truncated = match follows.as_deref() {
                    // Written by a version that did not say.
                    None => false,
                    Some("") => after != ChangeId::ZERO,
                    Some(follows) => parse(follows)? > after,
                };
            }
            let id = parse(&entry.id)?;
            let payload: Option<Vec<u8>> = entry.get("change");
            // What a newer version wrote and this one cannot read is still a place in the log.
            changes.push((
                id,
                payload
                    .and_then(|bytes| Change::decode(&*bytes).ok())
                    .unwrap_or_default(),
            ));
        }
        Ok(Missed { changes, truncated })
    }
}

fn parse(id: &str) -> Result<ChangeId, Error> {
    id.parse()
        .map_err(|_| redis_store::Error::Unexpected("a stream id".to_owned()).into())
}

#[async_trait]
impl ChangeFeed for RedisFeed {
    async fn publish(&self, change: Change) -> Result<ChangeId, Error> {
        let id = self.append(None, change).await?;
        id.ok_or_else(|| redis_store::Error::Unexpected("no stream id".to_owned()).into())
    }

    async fn publish_once(&self, tick: &Tick, change: Change) -> Result<Option<ChangeId>, Error> {
        self.append(Some(tick), change).await
    }

    async fn latest(&self) -> Result<ChangeId, Error> {
        let mut commands = self.redis.commands();
        let reply: StreamRangeReply = redis::cmd("XREVRANGE")
            .arg(keys::changes::LOG)
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(1)
            .query_async(&mut commands)
            .await
            .map_err(redis_store::Error::from)?;
        reply
            .ids
            .first()
            .map_or(Ok(ChangeId::ZERO), |entry| parse(&entry.id))
    }

    async fn missed(&self, after: ChangeId) -> Result<Missed, Error> {
        let mut missed = Missed::default();
        let mut last = after;
        loop {
            let page = self.page(last).await?;
            let full = page.changes.len() == PAGE;
            last = page.changes.last().map_or(last, |(id, _)| *id);
            missed.changes.extend(page.changes);
            missed.truncated |= page.truncated;
            if !full {
                return Ok(missed);
            }
        }
    }

    async fn subscribe(&self) -> Result<ChangeStream, Error> {
        // Subscribed first and read second: nothing falls in between.
        let subscription = self.redis.subscribe(keys::changes::CHANNEL).await?;
        let start = self.latest().await?;
        let state = (self.clone(), subscription, start, false);
        let batches =
            futures::stream::unfold(state, |(feed, mut subscription, last, mut behind)| async move {
                loop {
                    if !behind {
                        match subscription.next().await {
                            Delivery::Message(_) | Delivery::Resubscribed => {}
                        }
                    }
                    match feed.missed(last).await {
                        Ok(batch) => {
                            behind = false;
                            if batch.truncated {
                                return None;
                            }
                            if let Some((newest, _)) = batch.changes.last() {
                                let newest = *newest;
                                return Some((
                                    futures::stream::iter(batch.changes),
                                    (feed, subscription, newest, false),
                                ));
                            }
                        }
                        Err(error) => {
                            tracing::debug!(%error, "the change log cannot be read");
                            behind = true;
                            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                        }
                    }
                }
            });
        Ok(ChangeStream::new(batches.flatten().boxed()))
    }
}
