//! One round of a task: a call of the feature, and what came of it, reported.

use std::time::Duration;

use bytes::Bytes;
use everything_proto::{
    feature::v1::{CallContext, Error as FeatureError, Progress, call_event::Event},
    session::v1::{ReleasedTask, ReportTaskRequest, Task, TaskRun, report_task_request::Outcome},
};
use serde_json::value::RawValue;
use serving::{CancellationToken, retry::backoff};
use tokio::time::Instant;
use tonic::{Code, Status};

use super::{Running, telling::Telling};
use crate::{
    error::Fault,
    jsonrpc::RpcError,
    mcp::{
        Mcp,
        calls::{Call, let_end, silent},
        requests::Failure,
    },
    revisions::{self, WithTasks},
};

/// Tries of a round while the feature service is away: a quarter of a minute in all.
const ATTEMPTS: u32 = 10;

/// A round as it is run.
struct Round<'a> {
    mcp: &'a Mcp,
    task_id: &'a str,
    run: u64,
    revision: &'static dyn WithTasks,
    call: Call,
    context: CallContext,
    telling: Option<&'a Telling<'a>>,
}

pub(super) async fn run(mcp: Mcp, run: TaskRun, asked_at: Instant) {
    let TaskRun {
        task_id,
        run,
        call,
        protocol_version,
        lease_ms,
        session,
        trace: _,
    } = run;
    let lost = CancellationToken::new();
    let lease = Duration::from_millis(lease_ms);
    let running = Running {
        run,
        message: String::new(),
        lease,
        lease_until: asked_at + lease,
        lost: lost.clone(),
    };
    if let Some(older) = mcp.tasks.running().insert(task_id.clone(), running) {
        older.lost.cancel();
    }
    let shutdown = mcp.tasks.shutdown.clone();
    let call = call.unwrap_or_default();
    let context = call.context.unwrap_or_default();
    let user_id = context.principal.clone().unwrap_or_default().user_id;
    let telling = Telling::of(&mcp, &protocol_version, session.as_ref(), &user_id);
    let work = async {
        // A revision that only another version of the edge knows is left to that one.
        let revision = revisions::with_tasks(&protocol_version)?;
        let round = Round {
            mcp: &mcp,
            task_id: &task_id,
            run,
            revision,
            call: Call::Tool {
                name: call.name,
                arguments: arguments(&call.arguments_json),
            },
            context,
            telling: telling.as_ref(),
        };
        Some(round.to_end().await)
    };
    let outcome = tokio::select! {
        biased;
        () = lost.cancelled() => None,
        () = shutdown.cancelled() => Some(Outcome::Released(ReleasedTask {})),
        outcome = work => outcome,
    };
    if let Some(outcome) = outcome {
        let request = ReportTaskRequest {
            task_id: task_id.clone(),
            run,
            outcome: Some(outcome),
        };
        if let (Some(task), Some(telling)) = (report(&mcp, request, &lost).await, &telling) {
            telling.status(&task).await;
        }
    }
    let mut table = mcp.tasks.running();
    if table.get(&task_id).is_some_and(|running| running.run == run) {
        table.remove(&task_id);
    }
}

/// Until it is taken, or found to be too late; the lease bounds it. Answers what the task is then, if it ended or asks.
async fn report(mcp: &Mcp, request: ReportTaskRequest, lost: &CancellationToken) -> Option<Task> {
    let is_given_up = matches!(request.outcome, Some(Outcome::Released(_)));
    let mut attempt = 1;
    loop {
        let mut client = mcp.tasks.client.clone();
        match client.report_task(request.clone()).await {
            Ok(reported) => {
                let task = reported.into_inner().task;
                if task.is_none() {
                    tracing::debug!("the round of a task came too late");
                }
                return task.filter(|_| !is_given_up);
            }
            Err(status) if is_passing(&status) => {
                // Not while it is being reported: what was taken is heard of as the end of the task, too.
                lost.run_until_cancelled(tokio::time::sleep(backoff(attempt)))
                    .await?;
                attempt += 1;
            }
            Err(status) => {
                tracing::error!(code = ?status.code(), "the round of a task could not be reported");
                return None;
            }
        }
    }
}

impl Round<'_> {
    async fn to_end(&self) -> Outcome {
        let mut attempt = 1;
        loop {
            match self.attempt().await {
                Ok(outcome) => return outcome,
                Err(status) if is_passing(&status) && attempt < ATTEMPTS => {
                    tokio::time::sleep(backoff(attempt)).await;
                    attempt += 1;
                }
                Err(status) => return failed(Failure::of_feature(&status)),
            }
        }
    }

    async fn attempt(&self) -> Result<Outcome, Status> {
        let mut events = self.call.start(self.mcp, self.context.clone()).await?;
        let idle = self.mcp.settings.call_idle_timeout;
        loop {
            let Ok(event) = tokio::time::timeout(idle, events.message()).await else {
                return Ok(failed(silent(idle)));
            };
            match event?.and_then(|event| event.event) {
                Some(Event::Progress(progress)) => {
                    self.show(&progress);
                    if let Some(telling) = self.telling {
                        telling.progress(self.task_id, &progress).await;
                    }
                }
                // Tasks have no log messages.
                Some(Event::Log(_)) => {}
                // Nor a stream.
                Some(Event::CloseStream(_)) => {}
                Some(terminal) => {
                    let_end(events);
                    return Ok(self.outcome(terminal));
                }
                None => return Err(Status::internal("a call ended without a terminal event")),
            }
        }
    }

    fn outcome(&self, terminal: Event) -> Outcome {
        match terminal {
            Event::InputRequired(required) => {
                let declared = self.context.client_capabilities.clone().unwrap_or_default();
                match self.revision.can_ask(&required.requests, &declared) {
                    Ok(()) => Outcome::InputRequired(required),
                    Err(error) => failed(Failure::Rpc(error)),
                }
            }
            Event::Result(result) => {
                let kept = result.result_json.clone();
                // Found out now, not whenever the owner asks.
                match self.revision.call_tool_result(result.result_json) {
                    Ok(_) if self.revision.is_failure(&kept) => Outcome::FailedResultJson(kept),
                    Ok(_) => Outcome::ResultJson(kept),
                    Err(error) => failed(Failure::Rpc(error)),
                }
            }
            Event::Error(error) => Outcome::Error(error),
            // These end nothing.
            Event::Progress(_) | Event::Log(_) | Event::CloseStream(_) => {
                failed(Failure::Fault(Fault::Internal))
            }
        }
    }

    /// Progress becomes the status message, with the next renewal.
    fn show(&self, progress: &Progress) {
        let message = match (progress.message.is_empty(), progress.total) {
            (false, _) => progress.message.clone(),
            (true, Some(total)) => format!("{} of {total}", progress.progress),
            (true, None) => progress.progress.to_string(),
        };
        let mut table = self.mcp.tasks.running();
        if let Some(running) = table
            .get_mut(self.task_id)
            .filter(|running| running.run == self.run)
        {
            running.message = message;
        }
    }
}

/// The task fails with what the call would have been answered.
fn failed(failure: Failure) -> Outcome {
    let RpcError {
        code, message, data, ..
    } = match failure {
        Failure::Rpc(error) => error,
        Failure::Fault(fault) => fault.rpc_error(),
        Failure::SessionEnded | Failure::TakenOver => RpcError::internal("the call ended"),
    };
    Outcome::Error(FeatureError {
        code,
        message,
        data_json: data.map_or_else(Bytes::new, |data| data.get().to_owned().into()),
    })
}

/// A replica that went away, perhaps with the call; another one may serve.
fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::Cancelled | Code::Unknown | Code::DeadlineExceeded | Code::Aborted
    )
}

fn arguments(json: &[u8]) -> Option<Box<RawValue>> {
    serde_json::from_slice(json).ok()
}
