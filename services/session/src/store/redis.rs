//! The shared store: any number of replicas over one Redis.
//!
//! Each operation is one script on the session's three keys, which share a slot; edges and users have keys of their own.

mod answers;
mod edges;
mod event_log;
mod reply;
mod scripts;
mod sessions;
mod standalone;

use async_trait::async_trait;
use redis::{FromRedisValue, ToRedisArgs};
use redis_store::{Commands, Redis, Script, ScriptInvocation, keys};

use self::scripts::Scripts;
use super::{Store, StoreSettings};
use crate::{Error, SessionId, UserId};

pub struct RedisStore {
    commands: Commands,
    /// For what is acknowledged to somebody.
    durable: Commands,
    settings: StoreSettings,
    scripts: Scripts,
}

impl RedisStore {
    pub fn new(redis: &Redis, settings: StoreSettings) -> Self {
        Self {
            commands: redis.commands(),
            durable: redis.durable(),
            settings,
            scripts: Scripts::new(),
        }
    }

    fn ttl_ms(&self) -> u64 {
        u64::try_from(self.settings.ttl.as_millis()).unwrap_or(u64::MAX)
    }

    /// A script on the keys of one session.
    fn on<'a>(&self, script: &'a Script, id: &SessionId) -> ScriptInvocation<'a> {
        let id = id.as_str();
        let mut invocation = script.prepare_invoke();
        invocation
            .key(keys::session::owner(id))
            .key(keys::session::state(id))
            .key(keys::session::events(id));
        invocation
    }

    /// The same, with its first arguments: who asks, and the time to live.
    fn owned<'a>(&self, script: &'a Script, id: &SessionId, user: &UserId) -> ScriptInvocation<'a> {
        let mut invocation = self.on(script, id);
        invocation.arg(user.as_str()).arg(self.ttl_ms());
        invocation
    }

    /// The bounds of a log, as the last arguments but for what follows.
    fn bound<'a, 'b>(&self, invocation: &'b mut ScriptInvocation<'a>) -> &'b mut ScriptInvocation<'a> {
        invocation
            .arg(self.settings.log_max_entries)
            .arg(self.settings.log_max_bytes)
            .arg(u64::try_from(self.settings.log_max_age.as_millis()).unwrap_or(u64::MAX))
    }

    async fn run<T: FromRedisValue>(&self, invocation: &ScriptInvocation<'_>) -> Result<T, Error> {
        let mut commands = self.commands.clone();
        invocation.invoke_async(&mut commands).await.map_err(failed)
    }

    /// The same, and not lost with the master if `REDIS_WAIT_REPLICAS` is set.
    async fn keep<T: FromRedisValue>(&self, invocation: &ScriptInvocation<'_>) -> Result<T, Error> {
        let mut commands = self.durable.clone();
        invocation.invoke_async(&mut commands).await.map_err(failed)
    }

    async fn exists(&self, id: &SessionId) -> Result<bool, Error> {
        let mut commands = self.commands.clone();
        redis::cmd("EXISTS")
            .arg(keys::session::owner(id.as_str()))
            .query_async(&mut commands)
            .await
            .map_err(failed)
    }

    async fn command<T: FromRedisValue>(&self, name: &str, arguments: impl ToRedisArgs) -> Result<T, Error> {
        let mut commands = self.commands.clone();
        redis::cmd(name)
            .arg(arguments)
            .query_async(&mut commands)
            .await
            .map_err(failed)
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn purge(&self) {
        // Redis expires keys by itself.
    }
}

fn failed(error: redis::RedisError) -> Error {
    redis_store::Error::from(error).into()
}
