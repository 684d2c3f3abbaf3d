use std::{
    collections::HashMap,
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Kept, Record, TaskId, TaskStore};
use crate::{Error, sync::lock};

/// Tasks of all users together.
const MAX_TASKS: usize = 100_000;

/// The embedded store: nothing outlives the process.
#[derive(Default)]
pub struct MemoryTaskStore(Mutex<HashMap<TaskId, Entry>>);

struct Entry {
    kept: Kept,
    call: Option<Bytes>,
}

impl MemoryTaskStore {
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl TaskStore for MemoryTaskStore {
    async fn now_ms(&self) -> Result<i64, Error> {
        Ok(now_ms())
    }

    async fn create(
        &self,
        id: &TaskId,
        record: &Record,
        call: &Bytes,
        max_per_user: usize,
    ) -> Result<(), Error> {
        let now = now_ms();
        let mut tasks = lock(&self.0);
        tasks.retain(|_, entry| entry.kept.record.expires_at_ms() > now);
        let of_user = tasks
            .values()
            .filter(|entry| entry.kept.record.user_id == record.user_id);
        if of_user.count() >= max_per_user {
            return Err(Error::Limit {
                what: "tasks of this user",
                limit: max_per_user,
            });
        }
        if tasks.len() >= MAX_TASKS {
            return Err(Error::Limit {
                what: "tasks",
                limit: MAX_TASKS,
            });
        }
        let entry = Entry {
            kept: Kept {
                version: 1,
                record: record.clone(),
            },
            call: Some(call.clone()),
        };
        tasks.insert(id.clone(), entry);
        Ok(())
    }

    async fn load(&self, id: &TaskId) -> Result<Option<Kept>, Error> {
        let tasks = lock(&self.0);
        Ok(tasks
            .get(id)
            .map(|entry| entry.kept.clone())
            .filter(|kept| kept.record.expires_at_ms() > now_ms()))
    }

    async fn call(&self, id: &TaskId) -> Result<Option<Bytes>, Error> {
        Ok(lock(&self.0).get(id).and_then(|entry| entry.call.clone()))
    }

    async fn save(&self, id: &TaskId, version: u64, record: &Record) -> Result<bool, Error> {
        let mut tasks = lock(&self.0);
        let Some(entry) = tasks.get_mut(id).filter(|entry| entry.kept.version == version) else {
            return Ok(false);
        };
        entry.kept = Kept {
            version: version + 1,
            record: record.clone(),
        };
        if record.is_over() {
            entry.call = None;
        }
        Ok(true)
    }

    async fn due(&self, now_ms: i64, most: usize) -> Result<Vec<TaskId>, Error> {
        let tasks = lock(&self.0);
        let mut due: Vec<_> = tasks
            .iter()
            .filter_map(|(id, entry)| Some((entry.kept.record.wants_runner_at_ms()?, id)))
            .filter(|(at, _)| *at <= now_ms)
            .collect();
        due.sort();
        Ok(due.into_iter().take(most).map(|(_, id)| id.clone()).collect())
    }

    async fn not_due(&self, _: &TaskId) -> Result<(), Error> {
        // The records are the index.
        Ok(())
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
