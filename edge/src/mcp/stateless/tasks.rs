//! `io.modelcontextprotocol/tasks`: calls that are answered by a task, and the requests about it.
//! <https://modelcontextprotocol.io/extensions/tasks/overview>

use std::collections::HashMap;

use axum::response::Response;
use bytes::Bytes;
use everything_proto::{
    feature::v1::{CallContext, CallToolRequest, ClientCapabilities, tool::TaskSupport},
    session::v1::{
        CancelTaskRequest, CreateTaskRequest, CreateTaskResponse, GetTaskRequest, Task, UpdateTaskRequest,
    },
};
use serving::retry::idempotent;
use tonic::{Code, Status};

use super::{Described, Job, ToolFacts, failed, refuse};
use crate::{
    error::Fault,
    jsonrpc::{MISSING_CLIENT_CAPABILITY, RpcError},
    mcp::{Mcp, calls::Call, refusal::HttpRefusal, requests::Failure, tasks::Tasks},
    revisions::ClientRequest,
};

/// The extension's name.
const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// Whether a call becomes a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AsTask {
    Never,
    /// Once the client has answered what the call asked first.
    WithAnswers,
    Always,
}

impl AsTask {
    /// What the tool offers and the client takes. Fails where the tool insists and the client does not.
    pub(super) fn of(facts: &ToolFacts, declared: &ClientCapabilities) -> Result<Self, HttpRefusal> {
        match facts.task_support {
            TaskSupport::Unspecified | TaskSupport::Forbidden => return Ok(Self::Never),
            TaskSupport::Optional if !is_declared(declared) => return Ok(Self::Never),
            TaskSupport::Required => require(declared)?,
            TaskSupport::Optional => {}
        }
        Ok(if facts.asks_before_task {
            Self::WithAnswers
        } else {
            Self::Always
        })
    }
}

fn is_declared(declared: &ClientCapabilities) -> bool {
    declared.extensions_json.contains_key(EXTENSION)
}

/// -32021 for a client that did not declare the extension with this request.
pub(super) fn require(declared: &ClientCapabilities) -> Result<(), HttpRefusal> {
    if is_declared(declared) {
        return Ok(());
    }
    let data = serde_json::json!({ "requiredCapabilities": { "extensions": { EXTENSION: {} } } });
    let sentence = format!("this needs the client extension `{EXTENSION}`, which the client did not declare");
    let error = RpcError::new(MISSING_CLIENT_CAPABILITY, sentence).with_data(&data);
    Err(HttpRefusal::bad_request(error))
}

pub(super) fn are_served(described: &Described) -> bool {
    described
        .server
        .capabilities
        .as_ref()
        .is_some_and(|capabilities| capabilities.tasks)
}

/// Keeps the call as a task, runs it, and answers with the task.
pub(super) async fn create(job: Job<'_>, call: Call, context: CallContext) -> Result<Response, HttpRefusal> {
    let mcp = &job.state.mcp;
    let Call::Tool { name, arguments } = call else {
        return Err(Fault::Internal.into());
    };
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
        protocol_version: job.revision.version().to_owned(),
    };
    let described = mcp.described(job.revision).await?;
    let created = mcp.tasks.client.clone().create_task(request).await;
    let CreateTaskResponse { task, run } = created.map_err(refused)?.into_inner();
    if let Some(run) = run {
        Tasks::begin(mcp, run);
    }
    let task = task.ok_or(Fault::Internal)?;
    Ok(job.answer(&job.revision.task_created(&task, &described.info)))
}

/// Answers `tasks/get`, `tasks/update` and `tasks/cancel`.
pub(super) async fn answer(
    job: Job<'_>,
    request: ClientRequest,
    method: &str,
) -> Result<Response, HttpRefusal> {
    let mcp = &job.state.mcp;
    let described = mcp.described(job.revision).await?;
    if !are_served(&described) {
        return Err(refuse(RpcError::method_not_found(method)));
    }
    require(&job.envelope.capabilities)?;
    let user_id = job.principal.user_id.as_ref();
    match request {
        ClientRequest::GetTask { task_id } => {
            let task = get(mcp, &task_id, user_id).await.map_err(refused)?;
            let worded = job.revision.task(&task, &described.info);
            return Ok(job.answer(&worded.map_err(Failure::Rpc).map_err(failed)?));
        }
        ClientRequest::UpdateTask { task_id } => update(&job, task_id, user_id).await?,
        ClientRequest::CancelTask { task_id } => {
            let request = CancelTaskRequest {
                task_id,
                user_id: user_id.to_owned(),
            };
            let cancelled = idempotent(|| {
                let mut client = mcp.tasks.client.clone();
                let request = request.clone();
                async move { client.cancel_task(request).await }
            });
            cancelled.await.map_err(refused)?;
        }
        _ => return Err(Fault::Internal.into()),
    }
    Ok(job.answer(&job.revision.complete(b"{}", None, &described.info)))
}

/// A task, for its owner.
pub(super) async fn get(mcp: &Mcp, task_id: &str, user_id: &str) -> Result<Task, Status> {
    let request = GetTaskRequest {
        task_id: task_id.to_owned(),
        user_id: user_id.to_owned(),
    };
    let got = idempotent(|| {
        let mut client = mcp.tasks.client.clone();
        let request = request.clone();
        async move { client.get_task(request).await }
    });
    let task = got.await?.into_inner().task;
    task.ok_or_else(|| Status::internal("a task without content"))
}

async fn update(job: &Job<'_>, task_id: String, user_id: &str) -> Result<(), HttpRefusal> {
    let mcp = &job.state.mcp;
    let task = get(mcp, &task_id, user_id).await.map_err(refused)?;
    let mut answers_json = HashMap::new();
    for request in &task.input_requests {
        if let Some(answer) = job.envelope.input_responses.get(&request.key) {
            let answer = job.revision.input_response(request, answer);
            answers_json.insert(request.key.clone(), answer.map_err(Failure::Rpc).map_err(failed)?);
        }
    }
    if answers_json.is_empty() {
        // What is not asked is passed over.
        return Ok(());
    }
    let request = UpdateTaskRequest {
        task_id,
        user_id: user_id.to_owned(),
        answers_json,
        runner_id: mcp.tasks.runner(),
    };
    let updated = mcp.tasks.client.clone().update_task(request).await;
    if let Some(run) = updated.map_err(refused)?.into_inner().run {
        Tasks::begin(mcp, run);
    }
    Ok(())
}

/// What a status of the task service means to a client.
fn refused(status: Status) -> HttpRefusal {
    let failure = match status.code() {
        Code::NotFound => Failure::Rpc(RpcError::invalid_params("task not found")),
        Code::InvalidArgument => Failure::Rpc(RpcError::invalid_params("the call is too large for a task")),
        Code::ResourceExhausted => Failure::Rpc(RpcError::invalid_request(
            "there are as many tasks as there may be; some will expire",
        )),
        _ => Failure::Fault(Fault::from_status(&status)),
    };
    failed(failure)
}
