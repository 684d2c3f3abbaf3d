//! Asking the client on behalf of a feature, in revisions with sessions (design: asking is a return value).
//!
//! Each request of an `InputRequired` becomes a JSON-RPC request on the call's own stream. The client's responses come in
//! by POST at whichever edge and reach this one over the link.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use everything_proto::feature::v1::{InputRequest, InputRequired, input_request::Request};
use futures::{StreamExt, TryStreamExt, stream::FuturesUnordered};
use serde::Deserialize;
use serde_json::value::RawValue;
use serving::CancellationToken;
use telemetry::{
    conventions::general::{CANCELLED, TIMEOUT},
    propagation,
};
use tokio::time::Instant;
use tracing::Instrument;

use super::{
    exchange::{Exchange, NotSent},
    link::Link,
    operation::Operation,
    sessions::ActiveSession,
};
use crate::{
    error::Fault,
    jsonrpc::{INTERNAL_ERROR, ResponseOutcome, RpcError},
    revisions::{CoreTasks, WithSessions},
};

/// The client did not answer in time. The code that the official SDKs use for it.
const REQUEST_TIMED_OUT: i32 = -32001;
/// How long the link may take to confirm that answers will arrive here.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a question got no answer.
#[derive(Debug)]
pub enum Unanswered {
    Error(RpcError),
    /// The client answered with an error, such as a person's refusal.
    Refused(RpcError),
    /// Nobody waits for the answer any more.
    Moot,
    /// The session is over; nobody is left to tell.
    SessionEnded,
    /// Another edge runs the call now.
    TakenOver,
}

/// What it takes to ask the client of one call.
pub struct InputBridge<'a> {
    pub link: &'a Link,
    pub session: &'a ActiveSession,
    pub revision: &'static dyn WithSessions,
    pub exchange: &'a Exchange,
    /// How long the client, and the person behind it, may take.
    pub timeout: Duration,
    /// The task that asks, where it is one.
    pub task: Option<(&'a dyn CoreTasks, &'a str)>,
    /// Cancelled when nobody waits for the answers any more.
    pub moot: &'a CancellationToken,
}

impl InputBridge<'_> {
    /// Puts all requests to the client at once and returns its results by key.
    pub async fn ask(&self, required: &InputRequired) -> Result<HashMap<String, Bytes>, Unanswered> {
        // All are worded before any is sent: a client is not asked half of what cannot be asked whole.
        let questions = required
            .requests
            .iter()
            .map(|request| {
                let id = format!("srv-{}", uuid::Uuid::new_v4().simple());
                let message = self
                    .revision
                    .input_request(&id, request, &self.session.capabilities)?;
                let message = match self.task {
                    Some((core, task_id)) => core.about_task(&message, task_id),
                    None => message,
                };
                Ok((id, request, message))
            })
            .collect::<Result<Vec<_>, RpcError>>()
            .map_err(Unanswered::Error)?;
        let deadline = Instant::now() + self.timeout;
        let ids: Vec<String> = questions.iter().map(|(id, ..)| id.clone()).collect();
        let asking = questions
            .into_iter()
            .map(|(id, request, message)| async move {
                let answer = self.ask_one(&id, request, message, deadline).await?;
                Ok((request.key.clone(), answer))
            })
            .collect::<FuturesUnordered<_>>()
            .boxed()
            .try_collect();
        tokio::select! {
            answers = asking => answers,
            () = self.moot.cancelled() => {
                for id in ids {
                    self.take_back(&id, "the answer is not needed any more").await;
                }
                Err(Unanswered::Moot)
            }
        }
    }

    async fn ask_one(
        &self,
        id: &str,
        request: &InputRequest,
        message: Bytes,
        deadline: Instant,
    ) -> Result<Bytes, Unanswered> {
        let operation = Operation::to_client(method(request))
            .with_text_id(id)
            .in_revision(self.revision.version())
            .in_session(&self.session.session_id);
        let message = operation.carried_by(message);
        let answer = self.put(id, request, message, deadline);
        let answer = answer.instrument(operation.span()).await;
        match &answer {
            Ok(answer) => operation.succeeded(answer),
            Err(Unanswered::Error(error)) if error.code == REQUEST_TIMED_OUT => operation.broke(TIMEOUT),
            Err(Unanswered::Error(error) | Unanswered::Refused(error)) => operation.failed(error),
            Err(Unanswered::Moot | Unanswered::SessionEnded | Unanswered::TakenOver) => {
                operation.broke(CANCELLED)
            }
        }
        answer
    }

    async fn put(
        &self,
        id: &str,
        request: &InputRequest,
        message: Bytes,
        deadline: Instant,
    ) -> Result<Bytes, Unanswered> {
        // Ready to hear the answer first, asked second.
        let session = self.session;
        let ready = self.link.await_answer(&session.session_id, &session.user_id, id);
        let mut awaited = match tokio::time::timeout(READY_TIMEOUT, ready).await {
            Ok(Ok(awaited)) => awaited,
            Ok(Err(_)) | Err(_) => return Err(Unanswered::Error(Fault::Unavailable.rpc_error())),
        };
        self.exchange.ask(message, id).await?;
        // The client's part of the time.
        let waiting = tracing::info_span!("mcp.wait", otel.name = "wait for the client");
        let answer = tokio::time::timeout_at(deadline, awaited.receive())
            .instrument(waiting.clone())
            .await;
        if let Ok(Some(answer)) = &answer {
            propagation::link(&waiting, &answer.trace);
        }
        drop(waiting);
        let Ok(answer) = answer else {
            self.take_back(id, "the server waited too long for the answer")
                .await;
            let sentence = format!("the client did not answer {} in time", method(request));
            return Err(Unanswered::Error(RpcError::new(REQUEST_TIMED_OUT, sentence)));
        };
        let answer = answer.ok_or(Unanswered::SessionEnded)?;
        match ResponseOutcome::from_response(&answer.response).map_err(Unanswered::Error)? {
            ResponseOutcome::Result(result) => self
                .revision
                .input_response(request, &result)
                .map_err(Unanswered::Error),
            ResponseOutcome::Error(error) => Err(Unanswered::Refused(refusal(request, &error))),
        }
    }

    /// Tells the client not to answer.
    async fn take_back(&self, id: &str, reason: &str) {
        let cancelled = self.revision.cancelled(id, Some(reason));
        let cancelled = match self.task {
            Some((core, task_id)) => core.about_task(&cancelled, task_id),
            None => cancelled,
        };
        // The client may be gone altogether; then nobody needs to be told.
        _ = self.exchange.notify(cancelled).await;
    }
}

/// What the caller is told when the client answers with an error, such as a person's refusal.
fn refusal(request: &InputRequest, error: &RawValue) -> RpcError {
    #[derive(Deserialize)]
    struct ClientError {
        code: i64,
        message: String,
    }
    let method = method(request);
    match serde_json::from_str::<ClientError>(error.get()) {
        Ok(ClientError { code, message }) => {
            let message: String = message.chars().take(500).collect();
            let code = i32::try_from(code).unwrap_or(INTERNAL_ERROR);
            RpcError::new(code, format!("the client refused {method}: {message}"))
                .recorded_as("the client refused")
        }
        Err(_) => RpcError::internal(format!("the client refused {method}")),
    }
}

fn method(request: &InputRequest) -> &'static str {
    match request.request {
        Some(Request::SamplingJson(_)) => "sampling/createMessage",
        Some(Request::ElicitationFormJson(_) | Request::ElicitationUrlJson(_)) => "elicitation/create",
        Some(Request::ListRoots(_)) => "roots/list",
        None => "an unknown request",
    }
}

impl From<NotSent> for Unanswered {
    fn from(error: NotSent) -> Self {
        match error {
            NotSent::SessionEnded => Self::SessionEnded,
            NotSent::StreamOver => Self::TakenOver,
            NotSent::Unavailable => Self::Error(Fault::Unavailable.rpc_error()),
            NotSent::Refused => Self::Error(Fault::Internal.rpc_error()),
        }
    }
}
