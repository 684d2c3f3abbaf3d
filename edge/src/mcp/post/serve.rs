use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rand::RngExt;
use tracing::Instrument;

use crate::{
    Principal,
    jsonrpc::{self, RequestId, RpcError},
    mcp::{
        Mcp,
        calls::{Call, ProgressFloor, Run},
        exchange::{Exchange, NotSent},
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

/// What a client is told whose call did not end before the edge had to.
pub const LEFT: &str =
    "the server shut down before it was done with this request; send it again if that is safe";

/// After a link is back, calls are looked at in these intervals: the service may just be about to take them away.
const CHECKS: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

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
    /// The progress that an earlier run told the client of.
    pub told: Option<f64>,
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
            failure = leave(&mcp, &exchange) => Some(Err(failure)),
            failure = taken_away(&mcp, &exchange) => Some(Err(failure)),
        };
        let id = job.id.clone();
        // Done: its id may be used again as soon as the client has the answer.
        drop(job);
        if let Some(outcome) = &outcome {
            operation.settle(outcome.as_ref());
        }
        match outcome {
            Some(Ok(result)) => {
                let response = jsonrpc::result(&id, &result);
                exchange.respond(Some(&id), response).await;
            }
            Some(Err(Failure::Rpc(error))) => {
                tracing::debug!(code = error.code, "the request was answered by an error");
                exchange
                    .respond(Some(&id), jsonrpc::error(Some(&id), &error))
                    .await;
            }
            Some(Err(Failure::Fault(fault))) => exchange.refuse(HttpRefusal::from(fault).of(Some(&id))).await,
            Some(Err(Failure::SessionEnded)) => {
                exchange
                    .refuse(HttpRefusal::from(NoSession::NotFound).of(Some(&id)))
                    .await;
            }
            Some(Err(Failure::TakenOver)) => exchange.abandon().await,
            None => exchange.give_up(&id).await,
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

/// Returns when the call was taken from this edge, which was cut off or stood still: one that only waits, such as for its
/// client's answer, would not learn it otherwise.
async fn taken_away(mcp: &Mcp, exchange: &Exchange) -> Failure {
    let mut link = mcp.link.ups_and_downs();
    link.mark_unchanged();
    loop {
        if link.changed().await.is_err() {
            // The edge ends.
            return std::future::pending().await;
        }
        for pause in CHECKS {
            if !*link.borrow_and_update() {
                break;
            }
            // Many calls wait for the same link.
            let pause = pause.mul_f64(rand::rng().random_range(0.5..=1.0));
            tokio::time::sleep(pause).await;
            if exchange.check().await == Err(NotSent::StreamOver) {
                return Failure::TakenOver;
            }
        }
    }
}

/// What becomes of a call that is under way when the edge shuts down. Returns when the call is not to go on here.
async fn leave(mcp: &Mcp, exchange: &Exchange) -> Failure {
    mcp.leaving.short_calls_over().cancelled().await;
    // Its client comes back to another edge, whoever runs the call by then.
    if exchange.polls() {
        match exchange.disconnect(mcp.settings.retry_ms).await {
            Err(NotSent::StreamOver) => return Failure::TakenOver,
            Ok(()) | Err(NotSent::SessionEnded | NotSent::Unavailable | NotSent::Refused) => {}
        }
        if exchange.hand_over().await {
            return Failure::TakenOver;
        }
    }
    mcp.leaving.over().cancelled().await;
    if exchange.hand_over().await {
        return Failure::TakenOver;
    }
    Failure::Rpc(RpcError::internal(LEFT))
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
        floor: &ProgressFloor::new(job.told),
    }
    .to_end()
    .await
}
