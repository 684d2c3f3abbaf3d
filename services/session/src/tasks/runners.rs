//! What those who run tasks ask for, and what becomes of their tasks when they are gone.

use everything_proto::session::v1::{Task, TaskRun, renew_tasks_request::Run, report_task_request::Outcome};
use futures::{StreamExt, stream};
use prost::Message;
use tokio::time::sleep;

use super::{Operations, TaskId, operations::without_contents};
use crate::Error;

/// Tasks claimed at once.
const MAX_CLAIMS: usize = 256;
/// Tasks of one runner that are looked at at a time.
const CONCURRENCY: usize = 16;

impl Operations {
    pub(super) async fn claim(&self, runner: &str, most: usize) -> Result<Vec<TaskRun>, Error> {
        let store = &self.dependencies.store;
        let lease = self.settings.lease;
        let mut runs = Vec::new();
        for id in store.due(store.now_ms().await?, most.min(MAX_CLAIMS)).await? {
            match self
                .change(&id, |record, now_ms| record.claim(runner, lease, now_ms))
                .await
            {
                Ok((true, record)) => runs.extend(self.run_of(&id, &record).await?),
                Ok((false, record)) if record.wants_runner_at_ms().is_some() => {}
                Ok((false, _)) | Err(Error::TaskNotFound) => store.not_due(&id).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(runs)
    }

    /// Returns those that are not the caller's any more.
    pub(super) async fn renew(&self, runs: &[Run]) -> Result<Vec<String>, Error> {
        let lease = self.settings.lease;
        let mut lost = Vec::new();
        for run in runs {
            let kept = match TaskId::parse(&run.task_id) {
                Ok(id) => {
                    self.change(&id, |record, now_ms| {
                        record.renew(run.run, &run.status_message, lease, now_ms)
                    })
                    .await
                }
                Err(error) => Err(error),
            };
            match kept {
                Ok((true, _)) => {}
                Ok((false, _)) | Err(Error::TaskNotFound) => lost.push(run.task_id.clone()),
                Err(error) => return Err(error),
            }
        }
        Ok(lost)
    }

    /// The task as it is now, or nothing where the run is not the current one.
    pub(super) async fn report(
        &self,
        id: &TaskId,
        run: u64,
        outcome: Outcome,
    ) -> Result<Option<Task>, Error> {
        let max_bytes = self.settings.max_bytes;
        let reported = self.change(id, |record, now_ms| {
            if !record.is_run_by(run) {
                return false;
            }
            match outcome.clone() {
                Outcome::InputRequired(required) => record.ask(required, now_ms),
                Outcome::ResultJson(result) | Outcome::FailedResultJson(result)
                    if result.len() > max_bytes =>
                {
                    record.fail_with("the result is too large to be kept", now_ms);
                }
                Outcome::FailedResultJson(result) => record.fail_by_result(result, now_ms),
                Outcome::ResultJson(result) => record.complete(result, now_ms),
                Outcome::Error(error) if error.encoded_len() > max_bytes => {
                    record.fail_with("the error is too large to be kept", now_ms);
                }
                Outcome::Error(error) => record.fail(error, now_ms),
                Outcome::Released(_) => record.release(),
            }
            true
        });
        match reported.await {
            Ok((accepted, record)) => {
                if accepted && record.wants_runner_at_ms() == Some(0) {
                    self.announce(&record).await;
                }
                Ok(accepted.then(|| without_contents(record.task)))
            }
            Err(Error::TaskNotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The link of an edge broke: unless it renews its leases within the grace time, its tasks are offered to others then.
    /// The leases themselves are made shorter, so it does not matter what becomes of this replica meanwhile.
    pub(crate) async fn doubt(&self, runner: &str) -> Result<(), Error> {
        let store = &self.dependencies.store;
        let grace = self.settings.grace;
        let doubted: Vec<_> = stream::iter(store.run_by(runner).await?)
            .map(|id| async move {
                let doubted = self.change(&id, |record, now_ms| record.doubt(runner, grace, now_ms));
                match doubted.await {
                    Ok((is_its_runner, _)) => is_its_runner.then_some(id),
                    Err(error) => {
                        tracing::debug!(%error, "the lease of a task ends by itself");
                        None
                    }
                }
            })
            .buffer_unordered(CONCURRENCY)
            .filter_map(std::future::ready)
            .collect()
            .await;
        if doubted.is_empty() {
            return Ok(());
        }
        sleep(grace).await;
        let mut offered = 0;
        for id in doubted {
            let Some(kept) = store.load(&id).await? else {
                continue;
            };
            let due = kept.record.wants_runner_at_ms();
            if due.is_some_and(|at| at != 0) && due <= Some(store.now_ms().await?) {
                self.tell(&kept.record, true).await;
                offered += 1;
            }
        }
        if offered > 0 {
            tracing::warn!(
                edge = runner,
                tasks = offered,
                "an edge is gone; its tasks were offered to others"
            );
        }
        Ok(())
    }
}
