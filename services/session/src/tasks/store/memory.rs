use std::{
    collections::HashMap,
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Kept, MAX_RUN_BY, Record, TaskId, TaskStore};
use crate::{Error, UserId, sync::lock};

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

    async fn of_user(
        &self,
        user: &UserId,
        after: Option<&TaskId>,
        most: usize,
    ) -> Result<Option<Vec<(TaskId, Option<Record>)>>, Error> {
        let now = now_ms();
        let tasks = lock(&self.0);
        let mut own: Vec<_> = tasks
            .iter()
            .map(|(id, entry)| (entry.kept.record.expires_at_ms(), id, &entry.kept.record))
            .filter(|(expires, _, record)| *expires > now && record.user_id == user.as_str())
            .collect();
        own.sort_by_key(|(expires, id, _)| (*expires, *id));
        let from = match after {
            None => 0,
            Some(after) => match own.iter().position(|(_, id, _)| *id == after) {
                Some(position) => position + 1,
                None => return Ok(None),
            },
        };
        let page = own.into_iter().skip(from).take(most);
        let page = page.map(|(_, id, record)| {
            let mut record = record.clone();
            record.task.result_json = Bytes::new();
            (id.clone(), Some(record))
        });
        Ok(Some(page.collect()))
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

    async fn correct_due(&self, _: &TaskId) -> Result<(), Error> {
        // The records are the index, here and below.
        Ok(())
    }

    async fn run_by(&self, runner_id: &str) -> Result<Vec<TaskId>, Error> {
        let tasks = lock(&self.0);
        let own = tasks
            .iter()
            .filter(|(_, entry)| entry.kept.record.runner() == Some(runner_id));
        Ok(own.take(MAX_RUN_BY).map(|(id, _)| id.clone()).collect())
    }

    async fn begins(&self, _: &str, _: &TaskId, _: i64) -> Result<(), Error> {
        Ok(())
    }

    async fn ended(&self, _: &str, _: &TaskId) -> Result<(), Error> {
        Ok(())
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
