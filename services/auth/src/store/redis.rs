//! The shared store. Every operation is one command or one script on one key, so it is atomic and works on a cluster.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt as _;
use redis::{FromRedisValue, RedisError};
use redis_store::{Delivery, Redis, Script, Subscription, keys};

use super::{Claim, Key, Revocation, Revocations, Space, Store, StoreError};

/// Milliseconds of life wanted: `KEYS[1]`, `ARGV[1]`. 0: there is no such key.
const EXTEND: &str = "\
local left = redis.call('PTTL', KEYS[1])
if left == -2 then return 0 end
if left >= 0 and left < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return 1";

/// Counter `KEYS[1]` with a window of `ARGV[1]` milliseconds; answers the count and the milliseconds left.
const COUNT: &str = "\
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
local left = redis.call('PTTL', KEYS[1])
if left < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) left = tonumber(ARGV[1]) end
return {count, left}";

/// Keeps everything in Redis, shared by all replicas.
pub struct RedisStore {
    redis: Redis,
    extend: Script,
    count: Script,
}

struct RedisRevocations {
    subscription: Subscription,
    /// Came while the watch began.
    early: Option<Bytes>,
}

impl RedisStore {
    pub fn new(redis: Redis) -> Self {
        Self {
            redis,
            extend: Script::new("extend", EXTEND),
            count: Script::new("count", COUNT),
        }
    }

    async fn run<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, StoreError> {
        let mut commands = self.redis.commands();
        command.query_async(&mut commands).await.map_err(unavailable)
    }

    /// For what must not come undone: a code that was spent, a token that was revoked.
    async fn keep<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, StoreError> {
        let mut commands = self.redis.durable();
        command.query_async(&mut commands).await.map_err(unavailable)
    }
}

fn name(key: &Key) -> String {
    let id = key.id.as_str();
    match key.space {
        Space::Client => keys::auth::client(id),
        Space::Transaction => keys::auth::transaction(id),
        Space::Decision => keys::auth::decision(id),
        Space::Login => keys::auth::login(id),
        Space::Pushed => keys::auth::pushed(id),
        Space::Code => keys::auth::code(id),
        Space::Spent => keys::auth::spent(id),
        Space::Access => keys::auth::access(id),
        Space::Refresh => keys::auth::refresh(id),
        Space::Grant => keys::auth::grant(id),
        Space::Consent => keys::auth::consent(id),
        Space::Browser => keys::auth::browser(id),
        Space::FakeCode => keys::auth::fake_code(id),
        Space::FakeToken => keys::auth::fake_token(id),
        Space::Replay => keys::auth::replay(id),
        Space::Limit => keys::auth::limit(id),
        Space::Document => keys::auth::document(id),
    }
}

fn unavailable(error: RedisError) -> StoreError {
    match redis_store::Error::from(error) {
        redis_store::Error::OutOfMemory => StoreError::Full,
        error => StoreError::Unavailable(error.to_string()),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[async_trait]
impl Store for RedisStore {
    async fn put(&self, key: &Key, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        self.keep(
            redis::cmd("SET")
                .arg(name(key))
                .arg(value.as_ref())
                .arg("PX")
                .arg(millis(ttl)),
        )
        .await
    }

    async fn claim(&self, key: &Key, value: Bytes, ttl: Duration) -> Result<Claim, StoreError> {
        let mut command = redis::cmd("SET");
        command
            .arg(name(key))
            .arg(value.as_ref())
            .arg("NX")
            .arg("GET")
            .arg("PX")
            .arg(millis(ttl));
        let held: Option<Vec<u8>> = self.keep(&command).await?;
        Ok(held.map_or(Claim::Won, |held| Claim::Lost(held.into())))
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        let value: Option<Vec<u8>> = self.run(redis::cmd("GET").arg(name(key))).await?;
        Ok(value.map(Bytes::from))
    }

    async fn take(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        let value: Option<Vec<u8>> = self.keep(redis::cmd("GETDEL").arg(name(key))).await?;
        Ok(value.map(Bytes::from))
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let removed: u64 = self.keep(redis::cmd("DEL").arg(name(key))).await?;
        Ok(removed > 0)
    }

    async fn extend(&self, key: &Key, ttl: Duration) -> Result<bool, StoreError> {
        let mut commands = self.redis.commands();
        let invocation = self
            .extend
            .key(name(key))
            .arg(millis(ttl))
            .invoke_async(&mut commands)
            .await;
        let found: u64 = invocation.map_err(unavailable)?;
        Ok(found > 0)
    }

    async fn count(&self, key: &Key, window: Duration) -> Result<(u64, Duration), StoreError> {
        let mut commands = self.redis.commands();
        let invocation = self
            .count
            .key(name(key))
            .arg(millis(window))
            .invoke_async(&mut commands)
            .await;
        let (count, left): (u64, u64) = invocation.map_err(unavailable)?;
        Ok((count, Duration::from_millis(left)))
    }

    async fn announce(&self, revocation: Revocation) -> Result<(), StoreError> {
        let payload = revocation.encode();
        let published = self
            .redis
            .publish(keys::auth::REVOCATIONS, payload.as_bytes())
            .await;
        published.map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    async fn revocations(&self) -> Result<Box<dyn Revocations>, StoreError> {
        let subscribed = self.redis.subscribe(keys::auth::REVOCATIONS).await;
        let mut subscription = subscribed.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        // The opening of a connection counts as a gap for those who asked for it, but nothing was known before.
        let mut early = None;
        while let Some(delivery) = subscription.next().now_or_never() {
            if let Delivery::Message(payload) = delivery {
                early = Some(payload);
                break;
            }
        }
        Ok(Box::new(RedisRevocations { subscription, early }))
    }
}

#[async_trait]
impl Revocations for RedisRevocations {
    async fn next(&mut self) -> Option<Revocation> {
        loop {
            let payload = match self.early.take() {
                Some(payload) => payload,
                None => match self.subscription.next().await {
                    Delivery::Resubscribed => return None,
                    Delivery::Message(payload) => payload,
                },
            };
            // What no version of ours wrote is nothing to us.
            if let Some(revocation) = Revocation::decode(&payload) {
                return Some(revocation);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use redis_store::testing::{RedisCluster, RedisSentinel, RedisServer};

    use super::*;
    use crate::store::contract;

    contract::suite!(async || {
        let server = RedisServer::start().await;
        (Arc::new(RedisStore::new(server.connect())), server)
    });

    contract::suite!(
        behind_sentinels,
        RedisSentinel::start(),
        async |server: &RedisSentinel| {
            server.flush().await;
            Arc::new(RedisStore::new(server.connect()))
        }
    );

    contract::suite!(
        on_a_cluster,
        RedisCluster::start(),
        async |server: &RedisCluster| {
            server.flush().await;
            Arc::new(RedisStore::new(server.connect()))
        }
    );

    #[tokio::test]
    async fn every_key_expires() {
        let server = RedisServer::start().await;
        let store = RedisStore::new(server.connect());
        let minute = Duration::from_secs(60);
        let key = |id: &str| Key::new(Space::Code, id);
        store
            .put(&key("put"), Bytes::from_static(b"1"), minute)
            .await
            .unwrap();
        store
            .claim(&key("claimed"), Bytes::from_static(b"1"), minute)
            .await
            .unwrap();
        store.count(&key("counted"), minute).await.unwrap();
        let names: Vec<String> = server.command(&["KEYS", "*"]).await;
        assert_eq!(names.len(), 3);
        for name in names {
            let left: i64 = server.command(&["PTTL", &name]).await;
            assert!((1..=60_000).contains(&left), "{name} {left}");
        }
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_unavailable_and_comes_back() {
        let mut server = RedisServer::start().await;
        let store = RedisStore::new(server.connect());
        let key = Key::new(Space::Code, "x");
        store
            .put(&key, Bytes::from_static(b"1"), Duration::from_secs(60))
            .await
            .unwrap();
        server.kill();
        assert!(matches!(store.get(&key).await, Err(StoreError::Unavailable(_))));
        server.restart().await;
        contract::eventually(async || store.get(&key).await.is_ok()).await;
    }

    #[tokio::test]
    async fn a_lost_connection_ends_the_watch() {
        let mut server = RedisServer::start().await;
        let store = RedisStore::new(server.connect());
        let mut revocations = store.revocations().await.unwrap();
        server.restart().await;
        let end = tokio::time::timeout(Duration::from_secs(10), revocations.next()).await;
        assert_eq!(end.unwrap(), None);
    }
}
