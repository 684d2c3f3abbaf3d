use std::sync::Arc;

use bytes::Bytes;
use everything_proto::session::v1::OpenCall;
use serde_json::value::RawValue;
use tracing::Instrument;

use crate::{
    Principal,
    jsonrpc::{self, RequestId},
    mcp::{
        Mcp,
        calls::{Call, Run},
        exchange::Exchange,
        in_flight::Working,
        initialize,
        operation::Operation,
        refusal::HttpRefusal,
        requests::{self, Asker, Failure},
        session_tasks,
        sessions::{ActiveSession, NoSession},
    },
    revisions::{ClientRequest, RequestMeta, WithSessions},
};

/// One request that was read and taken up.
pub struct Job {
    pub principal: Principal,
    pub session: Arc<ActiveSession>,
    pub revision: &'static dyn WithSessions,
    pub id: RequestId,
    pub method: String,
    pub request: ClientRequest,
    pub meta: RequestMeta,
    pub working: Working,
    pub operation: Operation,
}

/// What the session service needs to end, or run again, a call whose edge died.
pub fn call_description(mcp: &Mcp, id: &RequestId, method: &str, params: Option<&RawValue>) -> OpenCall {
    // Only reads may be run again without asking anybody.
    let repeatable = matches!(method, "resources/read" | "prompts/get");
    OpenCall {
        edge_id: mcp.link.edge_id().to_owned(),
        request_id_json: id.to_json().into(),
        method: method.to_owned(),
        params_json: params
            .filter(|_| repeatable)
            .map(|params| params.get().to_owned().into())
            .unwrap_or_default(),
        repeatable,
    }
}

/// Serves one request to its end, or until the client gives it up.
pub async fn serve(mcp: Mcp, job: Job, exchange: Arc<Exchange>) {
    let operation = job.operation.clone();
    let span = operation.span();
    async {
        let cancelled = job.working.cancelled.clone();
        let outcome = tokio::select! {
            biased;
            () = cancelled.cancelled() => None,
            outcome = result(&mcp, &job, &exchange) => Some(outcome),
            () = keep_in_use(&mcp, &job.session) => None,
        };
        let id = job.id.clone();
        // Done: its id may be used again as soon as the client has the answer.
        drop(job);
        if let Some(outcome) = &outcome {
            operation.settle(outcome.as_ref());
        }
        match outcome {
            Some(Ok(result)) => exchange.respond(jsonrpc::result(&id, &result)).await,
            Some(Err(Failure::Rpc(error))) => {
                tracing::debug!(code = error.code, "the request was answered by an error");
                exchange.respond(jsonrpc::error(Some(&id), &error)).await;
            }
            Some(Err(Failure::Fault(fault))) => exchange.refuse(HttpRefusal::from(fault).of(Some(&id))).await,
            Some(Err(Failure::SessionEnded)) => {
                exchange
                    .refuse(HttpRefusal::from(NoSession::NotFound).of(Some(&id)))
                    .await;
            }
            None => exchange.give_up().await,
        }
    }
    .instrument(span)
    .await;
}

/// A session with a request under way is in use, however long that takes. Never returns.
async fn keep_in_use(mcp: &Mcp, session: &ActiveSession) {
    loop {
        tokio::time::sleep(session.touch_interval).await;
        mcp.sessions.touch(session);
    }
}

async fn result(mcp: &Mcp, job: &Job, exchange: &Exchange) -> Result<Bytes, Failure> {
    let asker = Asker {
        session: &job.session,
        principal: &job.principal,
        revision: job.revision,
    };
    let call = match job.request.clone() {
        ClientRequest::CallTool {
            name,
            arguments,
            task,
        } => match session_tasks::is_wanted(mcp, asker, &name, task).await? {
            Some(wish) => {
                return session_tasks::create(mcp, asker, &job.meta, (name, arguments), wish).await;
            }
            None => Call::Tool { name, arguments },
        },
        ClientRequest::TaskResult { task_id } => {
            return session_tasks::result(mcp, asker, &task_id, exchange).await;
        }
        request @ (ClientRequest::GetTask { .. }
        | ClientRequest::ListTasks { .. }
        | ClientRequest::CancelTask { .. }) => {
            return session_tasks::answer(mcp, asker, &job.method, request).await;
        }
        ClientRequest::ReadResource { uri } => Call::Resource { uri },
        ClientRequest::GetPrompt { name, arguments } => Call::Prompt { name, arguments },
        ClientRequest::Subscribe { uri } => Call::Subscribe { uri },
        ClientRequest::Initialize(initialize) => {
            return initialize::settle(mcp, &job.session, initialize).await;
        }
        request @ (ClientRequest::Ping
        | ClientRequest::ListTools { .. }
        | ClientRequest::ListResources { .. }
        | ClientRequest::ListResourceTemplates { .. }
        | ClientRequest::ListPrompts { .. }
        | ClientRequest::Complete(_)
        | ClientRequest::Unsubscribe { .. }
        | ClientRequest::SetLogLevel { .. }
        | ClientRequest::Discover
        | ClientRequest::Listen(_)
        | ClientRequest::UpdateTask { .. }) => return requests::answer(mcp, asker, request).await,
    };
    Run {
        mcp,
        asker,
        call: &call,
        meta: &job.meta,
        exchange,
    }
    .to_end()
    .await
}
