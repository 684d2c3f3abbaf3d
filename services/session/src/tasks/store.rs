//! Where tasks live. [`MemoryTaskStore`] and [`RedisTaskStore`] keep the same contract.

mod memory;
mod redis;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::{memory::MemoryTaskStore, redis::RedisTaskStore};
use super::{Record, TaskId};
use crate::{Error, UserId};

/// Tasks of one runner that are looked at when it is gone. The leases of others end by themselves.
pub const MAX_RUN_BY: usize = 4_096;

/// A record, and what it is compared by when it is written back.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub version: u64,
    pub record: Record,
}

/// Keeps records, an index of those that want a runner, and one of those that each runner has.
///
/// A record and its call are forgotten when it expires ([`Record::expires_at_ms`]). [`Error::Unavailable`] means that
/// nothing can be said about whether a change was made.
#[async_trait]
pub trait TaskStore: Send + Sync + 'static {
    /// The time that leases are compared with: the same for all replicas. Unix milliseconds.
    async fn now_ms(&self) -> Result<i64, Error>;

    /// Refuses with [`Error::Limit`] when the user has `max_per_user` tasks that have not expired.
    async fn create(
        &self,
        id: &TaskId,
        record: &Record,
        call: &Bytes,
        max_per_user: usize,
    ) -> Result<(), Error>;

    async fn load(&self, id: &TaskId) -> Result<Option<Kept>, Error>;

    /// At most `most` tasks of a user that have not expired, in a stable order, from after the one named on. A record comes
    /// without its result, or not at all where it is not there yet. `None`: the user has no such task as named.
    async fn of_user(
        &self,
        user: &UserId,
        after: Option<&TaskId>,
        most: usize,
    ) -> Result<Option<Vec<(TaskId, Option<Record>)>>, Error>;

    /// The call as it was created. `None` once the task is over.
    async fn call(&self, id: &TaskId) -> Result<Option<Bytes>, Error>;

    /// Replaces the record if it is still of that version. False: it is not, or it is gone.
    async fn save(&self, id: &TaskId, version: u64, record: &Record) -> Result<bool, Error>;

    /// Tasks that wanted a runner by now, the longest waiting first. May name some that do not, or not yet.
    async fn due(&self, now_ms: i64, most: usize) -> Result<Vec<TaskId>, Error>;

    /// The index named a task that nobody can take now.
    async fn correct_due(&self, id: &TaskId) -> Result<(), Error>;

    /// Tasks that the runner may run, [`MAX_RUN_BY`] at the most. May name some that it does not.
    async fn run_by(&self, runner_id: &str) -> Result<Vec<TaskId>, Error>;

    /// The task is about to be run by that runner, until it expires at the latest.
    async fn begins(&self, runner_id: &str, id: &TaskId, expires_at_ms: i64) -> Result<(), Error>;

    /// The runner does not run it any more.
    async fn ended(&self, runner_id: &str, id: &TaskId) -> Result<(), Error>;
}
