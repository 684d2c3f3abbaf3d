use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use redis::FromRedisValue;
use redis_store::{Commands, Redis, Script, ScriptInvocation, keys};
use sha2::{Digest, Sha256};

use super::{Kept, MAX_RUN_BY, Record, TaskId, TaskStore};
use crate::{Error, UserId};

const CREATE: &str = "
redis.call('HSET', KEYS[1], 'version', 1, 'record', ARGV[1], 'call', ARGV[2])
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
return 1";

const SAVE: &str = "
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[1], 'record', ARGV[2])
if ARGV[3] == '1' then
  redis.call('HDEL', KEYS[1], 'call')
  redis.call('HSET', KEYS[1], 'result', ARGV[4])
end
return 1";

const ADMIT: &str = "
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[4])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) - tonumber(ARGV[1]) then
  redis.call('PEXPIREAT', KEYS[1], ARGV[3])
end
return 1";

const BEGINS: &str = "
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) - now then
  redis.call('PEXPIREAT', KEYS[1], ARGV[1])
end
return 1";

/// Records of a list that are read at once.
const CONCURRENCY: usize = 16;

/// The shared store: any number of replicas over one Redis. A task, the tasks of a user, and the index each have a key of
/// their own, so they change one after another, and others may come between, or nobody may get to the next. An index is
/// written so that it may name too much, but never too little, and a task too soon, but never too late: whoever finds it too
/// soon corrects that.
pub struct RedisTaskStore {
    commands: Commands,
    /// For what is acknowledged to somebody.
    durable: Commands,
    create: Script,
    save: Script,
    admit: Script,
    begins: Script,
}

impl RedisTaskStore {
    pub fn new(redis: &Redis) -> Self {
        Self {
            commands: redis.commands(),
            durable: redis.durable(),
            create: Script::new("create_task", CREATE),
            save: Script::new("save_task", SAVE),
            admit: Script::new("admit_task", ADMIT),
            begins: Script::new("begin_task", BEGINS),
        }
    }

    async fn run<T: FromRedisValue>(&self, invocation: &ScriptInvocation<'_>) -> Result<T, Error> {
        let mut commands = self.durable.clone();
        invocation.invoke_async(&mut commands).await.map_err(failed)
    }

    async fn query<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, Error> {
        let mut commands = self.commands.clone();
        command.query_async(&mut commands).await.map_err(failed)
    }

    /// Without its result.
    async fn record(&self, id: TaskId) -> Result<(TaskId, Option<Record>), Error> {
        let mut command = redis::cmd("HGET");
        command.arg(keys::task::state(id.as_str())).arg("record");
        let record: Option<Vec<u8>> = self.query(&command).await?;
        Ok((id, record.as_deref().map(decoded).transpose()?))
    }

    /// When the task wants a runner, by its record. `None`: never, or there is no record.
    async fn wants_runner_at_ms(&self, id: &TaskId) -> Result<Option<i64>, Error> {
        let (_, record) = self.record(id.clone()).await?;
        Ok(record.and_then(|record| record.wants_runner_at_ms()))
    }

    /// The task is looked at by then at the latest.
    async fn index(&self, id: &TaskId, at_ms: i64) -> Result<(), Error> {
        let mut command = redis::cmd("ZADD");
        command.arg(keys::task::DUE).arg("LT").arg(at_ms).arg(id.as_str());
        self.query(&command).await
    }

    /// The task need not be looked at before, or not at all, as its record said.
    async fn put_off(&self, id: &TaskId, at_ms: Option<i64>) -> Result<(), Error> {
        let mut command = redis::cmd(if at_ms.is_some() { "ZADD" } else { "ZREM" });
        command.arg(keys::task::DUE).arg(at_ms).arg(id.as_str());
        self.query::<i64>(&command).await?;
        // Somebody may have changed the record since it was read, and indexed it before it was put off.
        match self.wants_runner_at_ms(id).await? {
            Some(now_at) if at_ms.is_none_or(|at| now_at < at) => self.index(id, now_at).await,
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl TaskStore for RedisTaskStore {
    async fn now_ms(&self) -> Result<i64, Error> {
        let (seconds, micros): (i64, i64) = self.query(&redis::cmd("TIME")).await?;
        Ok(seconds.saturating_mul(1_000).saturating_add(micros / 1_000))
    }

    async fn create(
        &self,
        id: &TaskId,
        record: &Record,
        call: &Bytes,
        max_per_user: usize,
    ) -> Result<(), Error> {
        let expires = record.expires_at_ms();
        let user = tasks_of(&record.user_id);
        let admitted: bool = self
            .run(
                self.admit
                    .key(user)
                    .arg(record.task.created_at_ms)
                    .arg(max_per_user)
                    .arg(expires)
                    .arg(id.as_str()),
            )
            .await?;
        if !admitted {
            return Err(Error::Limit {
                what: "tasks of this user",
                limit: max_per_user,
            });
        }
        if let Some(at) = record.wants_runner_at_ms() {
            self.index(id, at).await?;
        }
        self.run::<()>(
            self.create
                .key(keys::task::state(id.as_str()))
                .arg(record.encode_to_vec())
                .arg(call.as_ref())
                .arg(expires),
        )
        .await?;
        if let Some(at) = record.wants_runner_at_ms() {
            // Somebody may have looked at it before there was a record.
            self.index(id, at).await?;
        }
        Ok(())
    }

    async fn load(&self, id: &TaskId) -> Result<Option<Kept>, Error> {
        let mut command = redis::cmd("HMGET");
        command
            .arg(keys::task::state(id.as_str()))
            .arg("version")
            .arg("record")
            .arg("result");
        let kept: (Option<u64>, Option<Vec<u8>>, Option<Vec<u8>>) = self.query(&command).await?;
        let (Some(version), Some(record), result) = kept else {
            return Ok(None);
        };
        let mut record = decoded(&record)?;
        record.task.result_json = result.unwrap_or_default().into();
        Ok(Some(Kept { version, record }))
    }

    async fn of_user(
        &self,
        user: &UserId,
        after: Option<&TaskId>,
        most: usize,
    ) -> Result<Option<Vec<(TaskId, Option<Record>)>>, Error> {
        let key = tasks_of(user.as_str());
        let mut expired = redis::cmd("ZREMRANGEBYSCORE");
        expired.arg(&key).arg("-inf").arg(self.now_ms().await?);
        self.query::<i64>(&expired).await?;
        let from = match after {
            None => 0,
            Some(after) => {
                let mut rank = redis::cmd("ZRANK");
                rank.arg(&key).arg(after.as_str());
                match self.query::<Option<i64>>(&rank).await? {
                    Some(rank) => rank + 1,
                    None => return Ok(None),
                }
            }
        };
        let mut page = redis::cmd("ZRANGE");
        page.arg(&key)
            .arg(from)
            .arg(from + i64::try_from(most).unwrap_or(i64::MAX) - 1);
        let ids: Vec<String> = self.query(&page).await?;
        let ids: Vec<TaskId> = ids.iter().filter_map(|id| TaskId::parse(id).ok()).collect();
        let records = ids.into_iter().map(|id| self.record(id));
        let records = stream::iter(records).buffered(CONCURRENCY).try_collect().await?;
        Ok(Some(records))
    }

    async fn call(&self, id: &TaskId) -> Result<Option<Bytes>, Error> {
        let mut command = redis::cmd("HGET");
        command.arg(keys::task::state(id.as_str())).arg("call");
        let call: Option<Vec<u8>> = self.query(&command).await?;
        Ok(call.map(Bytes::from))
    }

    async fn save(&self, id: &TaskId, version: u64, record: &Record) -> Result<bool, Error> {
        let due = record.wants_runner_at_ms();
        // By itself, so that lists need not read it.
        let mut record = record.clone();
        let result = std::mem::take(&mut record.task.result_json);
        // Before: a task that nobody would find could never go on.
        if let Some(at) = due {
            self.index(id, at).await?;
        }
        let saved: bool = self
            .run(
                self.save
                    .key(keys::task::state(id.as_str()))
                    .arg(version)
                    .arg(record.encode_to_vec())
                    .arg(u8::from(record.is_over()))
                    .arg(result.as_ref()),
            )
            .await?;
        if saved {
            // After: somebody may have put it off between.
            match due {
                Some(at) => self.index(id, at).await?,
                None => self.put_off(id, None).await?,
            }
        }
        Ok(saved)
    }

    async fn due(&self, now_ms: i64, most: usize) -> Result<Vec<TaskId>, Error> {
        let mut command = redis::cmd("ZRANGEBYSCORE");
        command
            .arg(keys::task::DUE)
            .arg("-inf")
            .arg(now_ms)
            .arg("LIMIT")
            .arg(0)
            .arg(most);
        let ids: Vec<String> = self.query(&command).await?;
        Ok(ids.iter().filter_map(|id| TaskId::parse(id).ok()).collect())
    }

    async fn correct_due(&self, id: &TaskId) -> Result<(), Error> {
        let at_ms = self.wants_runner_at_ms(id).await?;
        self.put_off(id, at_ms).await
    }

    async fn run_by(&self, runner_id: &str) -> Result<Vec<TaskId>, Error> {
        let mut command = redis::cmd("ZRANGE");
        command
            .arg(keys::task::run_by(runner_id))
            .arg(0)
            .arg(MAX_RUN_BY - 1);
        let ids: Vec<String> = self.query(&command).await?;
        Ok(ids.iter().filter_map(|id| TaskId::parse(id).ok()).collect())
    }

    async fn begins(&self, runner_id: &str, id: &TaskId, expires_at_ms: i64) -> Result<(), Error> {
        let mut commands = self.commands.clone();
        self.begins
            .key(keys::task::run_by(runner_id))
            .arg(expires_at_ms)
            .arg(id.as_str())
            .invoke_async(&mut commands)
            .await
            .map_err(failed)
    }

    async fn ended(&self, runner_id: &str, id: &TaskId) -> Result<(), Error> {
        let mut command = redis::cmd("ZREM");
        command.arg(keys::task::run_by(runner_id)).arg(id.as_str());
        self.query(&command).await
    }
}

fn tasks_of(user_id: &str) -> String {
    keys::task::of_user(&URL_SAFE_NO_PAD.encode(Sha256::digest(user_id)))
}

fn decoded(record: &[u8]) -> Result<Record, Error> {
    Record::decode(record).map_err(|error| Error::Corrupt(format!("a task: {error}")))
}

fn failed(error: redis::RedisError) -> Error {
    redis_store::Error::from(error).into()
}
