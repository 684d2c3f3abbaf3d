//! What owners ask for, in terms of records, and how records change.

use bytes::Bytes;
use everything_proto::{
    feature::v1::{CallToolRequest, Error as FeatureError},
    session::v1::{Task, TaskChanged, TaskRun},
};
use prost::Message;

use super::{
    Record, TaskDependencies, TaskId, TaskSettings,
    record::{Origin, milliseconds},
};
use crate::{Error, UserId};

/// Tries of one change, when others change the same task at the same time.
const ATTEMPTS: usize = 32;
/// Tasks of one page of a list.
const PAGE: usize = 50;

pub(crate) struct Operations {
    pub(super) dependencies: TaskDependencies,
    pub(super) settings: TaskSettings,
}

impl Operations {
    pub(crate) fn new(dependencies: TaskDependencies, settings: TaskSettings) -> Self {
        Self {
            dependencies,
            settings,
        }
    }

    pub(super) async fn create(
        &self,
        call: CallToolRequest,
        origin: Origin,
        runner: &str,
    ) -> Result<(Task, Option<TaskRun>), Error> {
        let user = call
            .context
            .as_ref()
            .and_then(|context| context.principal.as_ref())
            .map_or("", |principal| &principal.user_id);
        UserId::parse(user)?;
        if call.encoded_len() > self.settings.max_bytes {
            return Err(Error::Invalid(format!(
                "call: at most {} bytes",
                self.settings.max_bytes
            )));
        }
        let id = TaskId::generate()?;
        let store = &self.dependencies.store;
        let mut record = Record::new(&id, &call, origin, &self.settings, store.now_ms().await?);
        if !runner.is_empty() {
            let now_ms = record.task.created_at_ms;
            record.claim(runner, self.settings.lease, now_ms);
            store.begins(runner, &id, record.expires_at_ms()).await?;
        }
        let kept = Bytes::from(call.encode_to_vec());
        store
            .create(&id, &record, &kept, self.settings.max_per_user)
            .await?;
        if runner.is_empty() {
            self.announce(&record).await;
            return Ok((record.task, None));
        }
        let run = self.run(&record, call);
        Ok((record.task, Some(run)))
    }

    pub(super) async fn get(&self, id: &TaskId, user: &UserId) -> Result<Task, Error> {
        Ok(self.owned(id, user).await?.task)
    }

    pub(super) async fn update(
        &self,
        id: &TaskId,
        user: &UserId,
        answers: Vec<(String, Bytes)>,
        runner: &str,
    ) -> Result<(Task, Option<TaskRun>), Error> {
        self.owned(id, user).await?;
        let lease = self.settings.lease;
        let (goes_on, record) = self
            .change(id, |record, now_ms| {
                let goes_on = record.answer(answers.clone(), now_ms);
                if goes_on && !runner.is_empty() {
                    record.claim(runner, lease, now_ms);
                }
                goes_on
            })
            .await?;
        let run = if goes_on && !runner.is_empty() {
            self.run_of(id, &record).await?
        } else {
            None
        };
        Ok((record.task, run))
    }

    /// The owner will not answer what is asked.
    pub(super) async fn refuse(
        &self,
        id: &TaskId,
        user: &UserId,
        refusal: FeatureError,
    ) -> Result<Task, Error> {
        self.owned(id, user).await?;
        let refused = self.change(id, |record, now_ms| record.refuse(refusal.clone(), now_ms));
        Ok(refused.await?.1.task)
    }

    pub(super) async fn cancel(&self, id: &TaskId, user: &UserId) -> Result<Task, Error> {
        self.owned(id, user).await?;
        let cancelled = self.change(id, |record, now_ms| record.cancel(now_ms));
        Ok(cancelled.await?.1.task)
    }

    /// A page of the user's tasks of one revision, and where the next one begins.
    pub(super) async fn list(
        &self,
        user: &UserId,
        protocol_version: &str,
        cursor: Option<&str>,
    ) -> Result<(Vec<Task>, Option<String>), Error> {
        let bad_cursor = || Error::Invalid("cursor: is not one of this list any more".to_owned());
        let store = &self.dependencies.store;
        let mut after = match cursor {
            Some(cursor) => Some(TaskId::parse(cursor).map_err(|_| bad_cursor())?),
            None => None,
        };
        let mut tasks = Vec::new();
        loop {
            let page = store.of_user(user, after.as_ref(), PAGE).await?;
            let page = page.ok_or_else(bad_cursor)?;
            let is_last = page.len() < PAGE;
            for (id, record) in page {
                // One more than fits: there is a next page.
                if tasks.len() == PAGE {
                    return Ok((tasks, after.map(|after| after.to_string())));
                }
                // Without one: it is being created, or its creation failed.
                if let Some(record) = record
                    && record.task.protocol_version == protocol_version
                {
                    tasks.push(without_contents(record.task));
                }
                after = Some(id);
            }
            if is_last {
                return Ok((tasks, None));
            }
        }
    }

    async fn owned(&self, id: &TaskId, user: &UserId) -> Result<Record, Error> {
        let kept = self.dependencies.store.load(id).await?;
        kept.map(|kept| kept.record)
            .filter(|record| record.user_id == user.as_str())
            .ok_or(Error::TaskNotFound)
    }

    /// Changes a record, again from its newest state if somebody else was faster, and tells of what its owner can see.
    pub(super) async fn change<T>(
        &self,
        id: &TaskId,
        mut change: impl FnMut(&mut Record, i64) -> T,
    ) -> Result<(T, Record), Error> {
        let store = &self.dependencies.store;
        // Who was noted to run it, and does not if somebody else was faster.
        let mut noted: Option<String> = None;
        for _ in 0..ATTEMPTS {
            let kept = store.load(id).await?.ok_or(Error::TaskNotFound)?;
            let mut record = kept.record.clone();
            let outcome = change(&mut record, store.now_ms().await?);
            if record == kept.record {
                self.cross_out(noted.as_deref(), &record, id).await;
                return Ok((outcome, record));
            }
            // Before: a run that nobody would find could not be taken from a runner that is gone.
            if let Some(runner) = record.runner().filter(|_| record.run != kept.record.run) {
                store.begins(runner, id, record.expires_at_ms()).await?;
                noted = Some(runner.to_owned());
            }
            if store.save(id, kept.version, &record).await? {
                for runner in [noted.as_deref(), kept.record.runner()] {
                    self.cross_out(runner, &record, id).await;
                }
                if record.task.change != kept.record.task.change {
                    self.announce(&record).await;
                }
                return Ok((outcome, record));
            }
        }
        Err(Error::Unavailable("a task is changed all the time".to_owned()))
    }

    /// What is left is found not to be so later, or goes with the task.
    async fn cross_out(&self, runner: Option<&str>, record: &Record, id: &TaskId) {
        if let Some(runner) = runner.filter(|_| record.runner() != runner)
            && let Err(error) = self.dependencies.store.ended(runner, id).await
        {
            tracing::debug!(%error, "a task is still listed as its former runner's");
        }
    }

    pub(super) async fn announce(&self, record: &Record) {
        self.tell(record, record.wants_runner_at_ms() == Some(0)).await;
    }

    pub(super) async fn tell(&self, record: &Record, wants_runner: bool) {
        let changed = TaskChanged {
            task_id: record.task.task_id.clone(),
            status: record.task.status,
            wants_runner,
        };
        self.dependencies.news.announce(changed).await;
    }

    pub(super) async fn run_of(&self, id: &TaskId, record: &Record) -> Result<Option<TaskRun>, Error> {
        // Gone: it was cancelled just now.
        let Some(call) = self.dependencies.store.call(id).await? else {
            return Ok(None);
        };
        let call =
            CallToolRequest::decode(call).map_err(|error| Error::Corrupt(format!("a call: {error}")))?;
        Ok(Some(self.run(record, call)))
    }

    fn run(&self, record: &Record, call: CallToolRequest) -> TaskRun {
        TaskRun {
            task_id: record.task.task_id.clone(),
            run: record.run,
            call: Some(record.call(call)),
            protocol_version: record.task.protocol_version.clone(),
            lease_ms: milliseconds(self.settings.lease),
            session: record.task.session.clone(),
            trace: record.trace.clone(),
        }
    }
}

/// What lists and news tell of a task.
pub(super) fn without_contents(task: Task) -> Task {
    Task {
        input_requests: Vec::new(),
        result_json: Bytes::new(),
        error: None,
        client_capabilities: None,
        ..task
    }
}
