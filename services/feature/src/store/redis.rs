use async_trait::async_trait;
use bytes::Bytes;
use redis::{AsyncCommands, RedisError};
use redis_store::{Redis, Script, keys::feature as keys};

use super::{Error, Limits, Refusal, Store, Stored};
use crate::{call::OwnerKey, extras::Extra};

/// Keeps resources in Redis, where every replica finds them.
pub struct RedisStore {
    redis: Redis,
    limits: Limits,
    put: Script,
}

/// Checks the owner's limits and keeps the resource, at once: two replicas cannot exceed them together.
///
/// Keys: the owner's index, the resource. Arguments: id, bytes, meta, data, TTL in ms, most resources, most bytes.
const PUT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local members = redis.call('ZRANGE', KEYS[1], 0, -1)
if #members >= tonumber(ARGV[6]) then
    return 1
end
local bytes = tonumber(ARGV[2])
for _, member in ipairs(members) do
    bytes = bytes + tonumber(string.match(member, '^%d+'))
end
if bytes > tonumber(ARGV[7]) then
    return 2
end
redis.call('HSET', KEYS[2], 'meta', ARGV[3], 'data', ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('ZADD', KEYS[1], now + ARGV[5], ARGV[2] .. ':' .. ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 0
";

impl RedisStore {
    pub fn new(redis: Redis, limits: Limits) -> Self {
        Self {
            redis,
            limits,
            put: Script::new("put_resource", PUT),
        }
    }
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        Self::Unavailable(Box::new(redis_store::Error::from(error)))
    }
}

#[async_trait]
impl Store for RedisStore {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    async fn put(
        &self,
        owner: &OwnerKey,
        stored: &Stored,
        bytes: Bytes,
    ) -> Result<Result<(), Refusal>, Error> {
        let Limits {
            ttl,
            count,
            bytes: limit_bytes,
            ..
        } = self.limits;
        let meta = serde_json::to_vec(&stored.meta)?;
        let outcome: u8 = self
            .put
            .key(keys::resources(owner.as_str()))
            .key(keys::resource(owner.as_str(), &stored.id))
            .arg(&stored.id)
            .arg(bytes.len())
            .arg(meta)
            .arg(&bytes[..])
            .arg(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX))
            .arg(count)
            .arg(limit_bytes)
            .invoke_async(&mut self.redis.commands())
            .await?;
        Ok(match outcome {
            0 => Ok(()),
            1 => Err(Refusal::TooMany { limit: count }),
            _ => Err(Refusal::TooLarge { limit_bytes }),
        })
    }

    async fn list(&self, owner: &OwnerKey) -> Result<Vec<Stored>, Error> {
        let mut commands = self.redis.commands();
        let members: Vec<String> = commands.zrange(keys::resources(owner.as_str()), 0, -1).await?;
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = members
            .iter()
            .filter_map(|member| member.split_once(':'))
            .map(|(_, id)| id)
            .collect();
        let mut pipeline = redis::pipe();
        for id in &ids {
            pipeline.hget(keys::resource(owner.as_str(), id), "meta");
        }
        let metas: Vec<Option<Vec<u8>>> = pipeline.query_async(&mut commands).await?;
        ids.into_iter()
            .zip(metas)
            // The index may name what has just expired.
            .filter_map(|(id, meta)| meta.map(|meta| (id, meta)))
            .map(|(id, meta)| {
                Ok(Stored {
                    id: id.to_owned(),
                    meta: serde_json::from_slice(&meta)?,
                })
            })
            .collect()
    }

    async fn get(&self, owner: &OwnerKey, id: &str) -> Result<Option<(Stored, Bytes)>, Error> {
        let key = keys::resource(owner.as_str(), id);
        let (meta, data): (Option<Vec<u8>>, Option<Vec<u8>>) = redis::cmd("HMGET")
            .arg(key)
            .arg(&["meta", "data"])
            .query_async(&mut self.redis.commands())
            .await?;
        match (meta, data) {
            (Some(meta), Some(data)) => {
                let stored = Stored {
                    id: id.to_owned(),
                    meta: serde_json::from_slice(&meta)?,
                };
                Ok(Some((stored, data.into())))
            }
            (None, _) | (_, None) => Ok(None),
        }
    }

    async fn extras(&self, owner: &OwnerKey) -> Result<Vec<Extra>, Error> {
        let mut commands = self.redis.commands();
        let names: Vec<String> = commands.smembers(keys::extras(owner.as_str())).await?;
        Ok(Extra::ALL
            .into_iter()
            .filter(|extra| names.iter().any(|name| name == extra.as_str()))
            .collect())
    }

    async fn switch_extra(&self, owner: &OwnerKey, extra: Extra, on: bool) -> Result<bool, Error> {
        let key = keys::extras(owner.as_str());
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        if on {
            pipeline.sadd(&key, extra.as_str());
        } else {
            pipeline.srem(&key, extra.as_str());
        }
        let ttl_ms = i64::try_from(self.limits.ttl.as_millis()).unwrap_or(i64::MAX);
        pipeline.pexpire(&key, ttl_ms).ignore();
        let (changed,): (u8,) = pipeline.query_async(&mut self.redis.commands()).await?;
        Ok(changed == 1)
    }
}

#[cfg(test)]
mod tests {
    use redis_store::testing::{RedisCluster, RedisSentinel, RedisServer};

    use super::*;
    use crate::store::contract::{self, owner, stored};

    async fn start() -> (RedisServer, RedisStore) {
        let server = RedisServer::start().await;
        let redis = Redis::connect(&server.address()).unwrap();
        let store = RedisStore::new(redis, contract::limits());
        (server, store)
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        let (_server, store) = start().await;
        contract::holds(&store).await;
    }

    #[tokio::test]
    async fn keeps_the_contract_behind_sentinels_and_on_a_cluster() {
        let (sentinel, cluster) = (RedisSentinel::start().await, RedisCluster::start().await);
        for redis in [sentinel.connect(), cluster.connect()] {
            contract::holds(&RedisStore::new(redis, contract::limits())).await;
        }
    }

    #[tokio::test]
    async fn every_key_expires() {
        let (server, store) = start().await;
        store
            .put(&owner("a"), &stored("1", 1), Bytes::from_static(b"x"))
            .await
            .unwrap()
            .unwrap();
        store.switch_extra(&owner("a"), Extra::Tool, true).await.unwrap();
        let mut keys: Vec<String> = server.command(&["KEYS", "*"]).await;
        keys.sort();
        assert_eq!(
            keys,
            [
                "feature:{a}:extras",
                "feature:{a}:resource:1",
                "feature:{a}:resources"
            ]
        );
        for key in keys {
            let ttl: i64 = server.command(&["PTTL", &key]).await;
            assert!((1..=1_800_000).contains(&ttl), "{key}: {ttl}");
        }
        // What has expired is listed no more, although the index still names it.
        let _: i64 = server.command(&["DEL", "feature:{a}:resource:1"]).await;
        assert_eq!(store.list(&owner("a")).await.unwrap(), []);
    }
}
