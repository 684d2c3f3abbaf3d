//! What owners of tasks ask for, of whichever revision: the session service keeps the tasks, this edge runs what it may.

use std::collections::HashMap;

use bytes::Bytes;
use everything_proto::{
    feature::v1::{CallContext, CallToolRequest, Error as FeatureError},
    session::v1::{
        CancelTaskRequest, CreateTaskRequest, CreateTaskResponse, GetTaskRequest, ListTasksRequest,
        ListTasksResponse, Task, TaskSession, UpdateTaskRequest, UpdateTaskResponse,
    },
};
use serde_json::value::RawValue;
use telemetry::propagation;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::{Tasks, telling::Telling};
use crate::{
    error::Fault,
    jsonrpc::RpcError,
    mcp::{Mcp, requests::Failure},
};

/// A call that is to become a task.
pub struct NewTask {
    pub name: String,
    pub arguments: Option<Box<RawValue>>,
    pub context: CallContext,
    pub protocol_version: &'static str,
    /// How long the owner would like it kept.
    pub ttl_ms: Option<u64>,
    /// Who is told of it unasked.
    pub session: Option<TaskSession>,
}

/// Keeps the call as a task, and begins to run it.
pub async fn create(mcp: &Mcp, new: NewTask) -> Result<Task, Status> {
    let NewTask {
        name,
        arguments,
        context,
        protocol_version,
        ttl_ms,
        session,
    } = new;
    let request = CreateTaskRequest {
        runner_id: mcp.tasks.runner(),
        call: Some(CallToolRequest {
            context: Some(CallContext {
                wants_progress: true,
                log_level: 0,
                ..context
            }),
            name,
            arguments_json: arguments.map_or_else(Bytes::new, |json| json.get().to_owned().into()),
        }),
        protocol_version: protocol_version.to_owned(),
        ttl_ms,
        session,
        trace: propagation::current().into(),
    };
    let asked_at = Instant::now();
    let created = mcp.tasks.client.clone().create_task(request).await?;
    let CreateTaskResponse { task, run } = created.into_inner();
    if let Some(run) = run {
        Tasks::begin(mcp, run, asked_at);
    }
    present(task)
}

/// Takes the owner's answers; the task goes on when all are there.
pub async fn answer(
    mcp: &Mcp,
    task_id: &str,
    user_id: &str,
    answers_json: HashMap<String, Bytes>,
) -> Result<Task, Status> {
    let request = UpdateTaskRequest {
        task_id: task_id.to_owned(),
        user_id: user_id.to_owned(),
        answers_json,
        runner_id: mcp.tasks.runner(),
        refusal: None,
    };
    let asked_at = Instant::now();
    let updated = mcp.tasks.client.clone().update_task(request).await?;
    let UpdateTaskResponse { run, task } = updated.into_inner();
    if let Some(run) = run {
        Tasks::begin(mcp, run, asked_at);
    }
    present(task)
}

/// The owner will not answer: the call fails with that.
pub async fn refuse(mcp: &Mcp, task_id: &str, user_id: &str, refusal: RpcError) -> Result<Task, Status> {
    let RpcError {
        code, message, data, ..
    } = refusal;
    let request = UpdateTaskRequest {
        task_id: task_id.to_owned(),
        user_id: user_id.to_owned(),
        refusal: Some(FeatureError {
            code,
            message,
            data_json: data.map_or_else(Bytes::new, |data| data.get().to_owned().into()),
        }),
        ..UpdateTaskRequest::default()
    };
    let refused = mcp.tasks.client.clone().update_task(request).await?;
    present(refused.into_inner().task)
}

impl Tasks {
    /// A task, for its owner, in the revision that it was made in.
    pub async fn get(&self, task_id: &str, user_id: &str, version: &str) -> Result<Task, Status> {
        let request = GetTaskRequest {
            task_id: task_id.to_owned(),
            user_id: user_id.to_owned(),
        };
        let got = self.client.clone().get_task(request).await?;
        let task = present(got.into_inner().task)?;
        if task.protocol_version == version {
            Ok(task)
        } else {
            Err(Status::not_found("the task is of another revision"))
        }
    }

    /// A page of the owner's tasks of a revision.
    pub async fn list(
        &self,
        user_id: &str,
        version: &str,
        cursor: Option<String>,
    ) -> Result<ListTasksResponse, Status> {
        let request = ListTasksRequest {
            user_id: user_id.to_owned(),
            protocol_version: version.to_owned(),
            cursor,
        };
        let listed = self.client.clone().list_tasks(request).await?;
        Ok(listed.into_inner())
    }

    /// Ends a task that has not ended, and answers what it is then.
    pub async fn cancel(&self, task_id: &str, user_id: &str) -> Result<Task, Status> {
        let request = CancelTaskRequest {
            task_id: task_id.to_owned(),
            user_id: user_id.to_owned(),
        };
        let cancelled = self.client.clone().cancel_task(request).await?;
        present(cancelled.into_inner().task)
    }

    /// Tells the session that a task was made in what has become of it.
    pub async fn tell(mcp: &Mcp, user_id: &str, task: &Task) {
        let session = task.session.as_ref();
        if let Some(telling) = Telling::of(mcp, &task.protocol_version, session, user_id) {
            telling.status(task).await;
        }
    }
}

/// What a status of the task service means to a client.
pub fn failure(status: &Status) -> Failure {
    match status.code() {
        Code::NotFound => Failure::Rpc(RpcError::invalid_params("task not found")),
        Code::InvalidArgument => Failure::Rpc(RpcError::invalid_params("the call is too large for a task")),
        Code::ResourceExhausted => Failure::Rpc(RpcError::invalid_request(
            "there are as many tasks as there may be; some will expire",
        )),
        _ => Failure::Fault(Fault::from_status(status)),
    }
}

fn present(task: Option<Task>) -> Result<Task, Status> {
    task.ok_or_else(|| Status::internal("a task without content"))
}
