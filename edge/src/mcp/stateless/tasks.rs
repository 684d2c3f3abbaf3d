//! `io.modelcontextprotocol/tasks`: calls that are answered by a task, and the requests about it.
//! <https://modelcontextprotocol.io/extensions/tasks/overview>

use std::collections::HashMap;

use axum::response::Response;
use everything_proto::{
    feature::v1::{CallContext, ClientCapabilities, tool::TaskSupport},
    session::v1::Task,
};
use tonic::Status;

use super::{Job, failed, refuse};
use crate::{
    error::Fault,
    jsonrpc::{MISSING_CLIENT_CAPABILITY, RpcError},
    mcp::{
        calls::Call,
        refusal::HttpRefusal,
        requests::Failure,
        tasks::{self, NewTask},
        tool_facts::ToolFacts,
    },
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

/// Keeps the call as a task, runs it, and answers with the task.
pub(super) async fn create(job: Job<'_>, call: Call, context: CallContext) -> Result<Response, HttpRefusal> {
    let mcp = &job.state.mcp;
    let Call::Tool { name, arguments } = call else {
        return Err(Fault::Internal.into());
    };
    let described = mcp.described(job.revision).await?;
    let new = NewTask {
        name,
        arguments,
        context,
        protocol_version: job.revision.version(),
        ttl_ms: None,
        session: None,
    };
    let task = tasks::create(mcp, new).await.map_err(refused)?;
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
    if !described.serves_tasks() {
        return Err(refuse(RpcError::method_not_found(method)));
    }
    require(&job.envelope.capabilities)?;
    match request {
        ClientRequest::GetTask { task_id } => {
            let task = get(&job, &task_id).await.map_err(refused)?;
            let worded = job.revision.task(&task, &described.info);
            return Ok(job.answer(&worded.map_err(Failure::Rpc).map_err(failed)?));
        }
        ClientRequest::UpdateTask { task_id } => update(&job, &task_id).await?,
        ClientRequest::CancelTask { task_id } => {
            get(&job, &task_id).await.map_err(refused)?;
            let user_id = &job.principal.user_id;
            mcp.tasks.cancel(&task_id, user_id).await.map_err(refused)?;
        }
        _ => return Err(Fault::Internal.into()),
    }
    Ok(job.answer(&job.revision.complete(b"{}", None, &described.info)))
}

/// A task, for its owner.
pub(super) async fn get(job: &Job<'_>, task_id: &str) -> Result<Task, Status> {
    let (user_id, version) = (&job.principal.user_id, job.revision.version());
    job.state.mcp.tasks.get(task_id, user_id, version).await
}

async fn update(job: &Job<'_>, task_id: &str) -> Result<(), HttpRefusal> {
    let task = get(job, task_id).await.map_err(refused)?;
    let mut answers = HashMap::new();
    for request in &task.input_requests {
        if let Some(answer) = job.envelope.input_responses.get(&request.key) {
            let answer = job.revision.input_response(request, answer);
            answers.insert(request.key.clone(), answer.map_err(Failure::Rpc).map_err(failed)?);
        }
    }
    // What is not asked is passed over.
    if !answers.is_empty() {
        let updated = tasks::answer(&job.state.mcp, task_id, &job.principal.user_id, answers).await;
        updated.map_err(refused)?;
    }
    Ok(())
}

fn refused(status: Status) -> HttpRefusal {
    failed(tasks::failure(&status))
}
