//! What those who run tasks ask for, and what becomes of their tasks when they are gone.

use std::time::Duration;

use everything_proto::session::v1::{Task, TaskRun, renew_tasks_request::Run, report_task_request::Outcome};
use futures::{StreamExt, stream};
use prost::Message;
use tokio::time::sleep;

use super::{Operations, TaskId, operations::without_contents};
use crate::Error;

/// Tasks claimed at once.
const MAX_CLAIMS: usize = 256;
/// Tasks that are looked at for one claim.
const MAX_LOOKS: usize = 1_024;
/// Tasks of one runner that are looked at at a time.
const CONCURRENCY: usize = 16;
/// Grace times that requests of an edge may still be under way after its link broke.
const UNDER_WAY: u32 = 3;
/// Grace times that the edge has to renew what it began or renewed after its link broke: it lives, perhaps, and has no link.
const LATE_GRACE: u32 = 10;

impl Operations {
    pub(super) async fn claim(&self, runner: &str, most: usize) -> Result<Vec<TaskRun>, Error> {
        let store = &self.dependencies.store;
        let most = most.min(MAX_CLAIMS);
        let mut runs = Vec::new();
        let mut looks = 0;
        while runs.len() < most && looks < MAX_LOOKS {
            let due = store.due(store.now_ms().await?, most - runs.len()).await?;
            if due.is_empty() {
                break;
            }
            looks += due.len();
            for id in due {
                match self.take(runner, &id).await {
                    Ok(run) => runs.extend(run),
                    Err(error) if runs.is_empty() => return Err(error),
                    Err(error) => {
                        tracing::debug!(%error, "fewer tasks were claimed than there are");
                        return Ok(runs);
                    }
                }
            }
        }
        Ok(runs)
    }

    /// The run of a task that was due, unless somebody else was faster.
    async fn take(&self, runner: &str, id: &TaskId) -> Result<Option<TaskRun>, Error> {
        let lease = self.settings.lease;
        let claimed = self.change(id, |record, now_ms| record.claim(runner, lease, now_ms));
        let run = match claimed.await {
            Ok((true, record)) => self.run_of(id, &record).await?,
            Ok((false, _)) | Err(Error::TaskNotFound) => None,
            Err(error) => return Err(error),
        };
        // Or the next look would find it again.
        self.dependencies.store.correct_due(id).await?;
        Ok(run)
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
        let grace = self.settings.grace;
        let doubted = self.shorten_leases(runner, grace).await?;
        sleep(grace).await;
        self.offer(runner, doubted).await?;
        // What the edge asked for as it died may have been carried out after the first look.
        sleep(grace * UNDER_WAY).await;
        self.shorten_leases(runner, grace * LATE_GRACE).await?;
        Ok(())
    }

    /// Of all tasks that the edge runs; returns them.
    async fn shorten_leases(&self, runner: &str, to: Duration) -> Result<Vec<TaskId>, Error> {
        let run_by = self.dependencies.store.run_by(runner).await?;
        let shortened = stream::iter(run_by)
            .map(|id| async move {
                let doubted = self.change(&id, |record, now_ms| record.doubt(runner, to, now_ms));
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
            .collect();
        Ok(shortened.await)
    }

    /// Tells others of those whose leases were not renewed.
    async fn offer(&self, runner: &str, doubted: Vec<TaskId>) -> Result<(), Error> {
        let store = &self.dependencies.store;
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
