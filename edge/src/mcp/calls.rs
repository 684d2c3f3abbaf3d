//! Calls of a feature: `tools/call`, `resources/read`, `prompts/get`, `resources/subscribe`.
//!
//! A call runs in rounds. Each is one RPC; one that ends in `InputRequired` is followed by another, with the client's
//! answers. Between rounds nobody but this loop knows of the call, so each may go to another replica.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use everything_proto::{
    feature::v1::{
        CallContext, CallEvent, CallToolRequest, GetPromptRequest, InputRequired, LogLevel,
        ReadResourceRequest, SubscribeRequest, call_event::Event,
    },
    session::v1::UpdateRequest,
};
use serde_json::value::RawValue;
use serving::{CancellationToken, lasting, retry::backoff};
use tonic::{Code, Status, Streaming};
use tracing::Instrument;

use super::{
    Mcp,
    exchange::{Exchange, NotSent},
    input_bridge::{InputBridge, Unanswered},
    operation::Operation,
    requests::{Asker, Failure, update},
};
use crate::{
    jsonrpc::{INTERNAL_ERROR, RpcError},
    revisions::RequestMeta,
};

/// Rounds of one call; a feature that asks more often goes round in circles.
pub const MAX_ROUNDS: usize = 64;
/// Replicas tried for a call without effects.
pub const ATTEMPTS: u32 = 3;

/// How long the end of a call may take that has had its terminal event.
const END_TIMEOUT: Duration = Duration::from_secs(1);
pub const PROGRESS: &str = "notifications/progress";
pub const MESSAGE: &str = "notifications/message";
/// The `error.type` of a notification that could not be logged.
const NOT_SENT: &str = "not_sent";

/// What is called.
pub enum Call {
    Tool {
        name: String,
        arguments: Option<Box<RawValue>>,
    },
    Resource {
        uri: String,
    },
    Prompt {
        name: String,
        arguments: HashMap<String, String>,
    },
    Subscribe {
        uri: String,
    },
}

impl Call {
    /// Whether calling twice does no harm. A tool says so itself, by its annotations.
    pub async fn is_repeatable(&self, mcp: &Mcp, context: &CallContext) -> bool {
        match self {
            Self::Tool { name, .. } => {
                let facts = mcp.known_tools.of(mcp, context.clone(), name).await;
                facts.is_ok_and(|facts| facts.repeatable)
            }
            Self::Resource { .. } | Self::Prompt { .. } | Self::Subscribe { .. } => true,
        }
    }

    /// Starts one round.
    pub async fn start(&self, mcp: &Mcp, context: CallContext) -> Result<Streaming<CallEvent>, Status> {
        let mut client = mcp.clients.feature.clone();
        let context = Some(context);
        let idle = mcp.settings.call_idle_timeout;
        let response = match self {
            Self::Tool { name, arguments } => {
                let arguments_json = arguments
                    .as_ref()
                    .map(|json| json.get().to_owned().into())
                    .unwrap_or_default();
                let request = CallToolRequest {
                    context,
                    name: name.clone(),
                    arguments_json,
                };
                client.call_tool(lasting(request, idle)).await
            }
            Self::Resource { uri } => {
                let request = ReadResourceRequest {
                    context,
                    uri: uri.clone(),
                };
                client.read_resource(lasting(request, idle)).await
            }
            Self::Prompt { name, arguments } => {
                let request = GetPromptRequest {
                    context,
                    name: name.clone(),
                    arguments: arguments.clone(),
                };
                client.get_prompt(lasting(request, idle)).await
            }
            Self::Subscribe { uri } => {
                let request = SubscribeRequest {
                    context,
                    uri: uri.clone(),
                };
                client.subscribe(lasting(request, idle)).await
            }
        };
        Ok(response?.into_inner())
    }
}

/// One call and everything that it needs.
pub struct Run<'a> {
    pub mcp: &'a Mcp,
    pub asker: Asker<'a>,
    pub call: &'a Call,
    pub meta: &'a RequestMeta,
    pub exchange: &'a Exchange,
    /// What the client was told by an earlier run.
    pub floor: &'a ProgressFloor,
}

/// Progress must rise ("Progress Flow"): what does not is left out, such as what a second run repeats.
#[derive(Default)]
pub struct ProgressFloor(Mutex<Option<f64>>);

impl ProgressFloor {
    pub fn new(told: Option<f64>) -> Self {
        Self(Mutex::new(told))
    }

    /// Whether this is news; then it is the floor from now on.
    pub fn passes(&self, progress: f64) -> bool {
        let mut floor = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passes = floor.is_none_or(|floor| progress > floor);
        if passes {
            *floor = Some(progress);
        }
        passes
    }
}

enum Round {
    Result(Bytes),
    InputRequired(InputRequired),
}

impl Run<'_> {
    /// Runs the call to its end and returns its result. Dropping it cancels the call down to the feature.
    pub async fn to_end(&self) -> Result<Bytes, Failure> {
        let mut context = self.asker.context();
        context.wants_progress = self.meta.progress_token.is_some();
        for _ in 0..MAX_ROUNDS {
            match self.round(context.clone()).await? {
                Round::Result(result) => return self.finish(result).await,
                Round::InputRequired(required) => {
                    // Nothing but its client can answer a call.
                    let moot = CancellationToken::new();
                    context.inputs_json = self.bridge(&moot).ask(&required).await?;
                    context.state = required.state;
                }
            }
        }
        tracing::warn!("a feature asked the client too often in one call");
        Err(Failure::Rpc(RpcError::internal(
            "the call asked for input too often",
        )))
    }

    /// Again, at another replica, where one dies under a call that does no harm twice.
    async fn round(&self, context: CallContext) -> Result<Round, Failure> {
        let mut attempt = 1;
        loop {
            let mut began = false;
            let status = match self.attempt(context.clone(), &mut began).await {
                Ok(round) => return Ok(round),
                Err(Broken::Failure(failure)) => return Err(failure),
                Err(Broken::Status(status)) => status,
            };
            if !is_lost(&status) {
                return Err(Failure::of_feature(&status));
            }
            if attempt < ATTEMPTS && self.call.is_repeatable(self.mcp, &context).await {
                tokio::time::sleep(backoff(attempt)).await;
                attempt += 1;
                continue;
            }
            return Err(if began {
                tracing::warn!(code = ?status.code(), "a call lost its feature replica");
                lost()
            } else {
                Failure::of_feature(&status)
            });
        }
    }

    async fn attempt(&self, context: CallContext, began: &mut bool) -> Result<Round, Broken> {
        let mut events = self.call.start(self.mcp, context).await?;
        *began = true;
        let idle = self.mcp.settings.call_idle_timeout;
        loop {
            let event = match tokio::time::timeout(idle, events.message()).await {
                Ok(event) => event?.and_then(|event| event.event),
                Err(_) => return Err(Broken::Failure(silent(idle))),
            };
            let Some(event) = event else {
                return Err(
                    Status::internal("the feature service ended a call without a terminal event").into(),
                );
            };
            match event {
                Event::Progress(progress) => {
                    if let Some(token) = &self.meta.progress_token
                        && self.floor.passes(progress.progress)
                    {
                        let message = self.asker.revision.progress(token, &progress);
                        self.notify(PROGRESS, message, Some(progress.progress)).await?;
                    }
                }
                Event::Log(log) => {
                    if log.level() >= self.asker.session.log_level && log.level() != LogLevel::Unspecified {
                        self.notify(MESSAGE, self.asker.revision.log(&log), None).await?;
                    }
                }
                Event::CloseStream(close) => settled(self.exchange.disconnect(close.retry_ms).await)?,
                Event::InputRequired(required) if required.requests.is_empty() => {
                    return Err(Broken::Failure(Failure::Rpc(RpcError::internal(
                        "a feature requires input but asks for none",
                    ))));
                }
                Event::InputRequired(required) => {
                    let_end(events);
                    return Ok(Round::InputRequired(required));
                }
                Event::Result(result) => {
                    let_end(events);
                    return Ok(Round::Result(result.result_json));
                }
                Event::Error(error) => {
                    let_end(events);
                    return Err(Broken::Failure(Failure::Rpc(
                        self.asker.revision.feature_error(&error),
                    )));
                }
            }
        }
    }

    async fn finish(&self, result: Bytes) -> Result<Bytes, Failure> {
        let revision = self.asker.revision;
        let worded = match self.call {
            Call::Tool { .. } => revision.call_tool_result(result),
            Call::Resource { .. } => revision.read_resource_result(result),
            Call::Prompt { .. } => revision.get_prompt_result(result),
            Call::Subscribe { uri } => {
                let change = UpdateRequest {
                    subscribe: vec![uri.clone()],
                    ..UpdateRequest::default()
                };
                return update(self.mcp, self.asker, change).await;
            }
        };
        worded.map_err(Failure::Rpc)
    }

    async fn notify(
        &self,
        method: &'static str,
        message: Bytes,
        progress: Option<f64>,
    ) -> Result<(), Failure> {
        let operation = Operation::to_client(method)
            .in_revision(self.asker.revision.version())
            .in_session(&self.asker.session.session_id);
        let message = operation.carried_by(message);
        let sending = async {
            match progress {
                Some(progress) => self.exchange.notify_progress(message, progress).await,
                None => self.exchange.notify(message).await,
            }
        };
        let sent = sending.instrument(operation.span()).await;
        match sent {
            Ok(()) => operation.succeeded(b""),
            Err(_) => operation.broke(NOT_SENT),
        }
        settled(sent)
    }

    fn bridge<'b>(&'b self, moot: &'b CancellationToken) -> InputBridge<'b> {
        InputBridge {
            link: &self.mcp.link,
            session: self.asker.session,
            revision: self.asker.revision,
            exchange: self.exchange,
            timeout: self.mcp.settings.input_timeout,
            task: None,
            moot,
        }
    }
}

/// Lets an RPC that has had its terminal event end by itself: dropped at once, it would count as cancelled.
pub fn let_end(mut events: Streaming<CallEvent>) {
    tokio::spawn(async move { _ = tokio::time::timeout(END_TIMEOUT, events.message()).await });
}

enum Broken {
    Status(Status),
    Failure(Failure),
}

impl From<Status> for Broken {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Unanswered> for Failure {
    fn from(error: Unanswered) -> Self {
        match error {
            Unanswered::Error(error) | Unanswered::Refused(error) => Self::Rpc(error),
            Unanswered::Moot => Self::Rpc(RpcError::internal("the answer is not needed any more")),
            Unanswered::SessionEnded => Self::SessionEnded,
            Unanswered::TakenOver => Self::TakenOver,
        }
    }
}

/// Progress and logs are worth less than the call, unless the call is not ours any more.
fn settled(sent: Result<(), NotSent>) -> Result<(), Failure> {
    match sent {
        Ok(()) => Ok(()),
        Err(NotSent::Unavailable | NotSent::Refused) => {
            tracing::warn!("a notification was left out: it could not be logged");
            Ok(())
        }
        Err(NotSent::SessionEnded) => Err(Failure::SessionEnded),
        Err(NotSent::StreamOver) => Err(Failure::TakenOver),
    }
}

/// Whether the status may mean that the replica died, or is about to. What a feature has to say travels in-band.
pub fn is_lost(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled | Code::Aborted
    )
}

/// The process that ran the call is gone, and nobody knows how far it came.
pub fn lost() -> Failure {
    Failure::Rpc(RpcError::internal(LOST))
}

/// What a client is told whose call died with a process.
pub const LOST: &str =
    "the server lost the process that worked on this request; send it again if that is safe";

/// A feature that says nothing for too long.
pub fn silent(idle: Duration) -> Failure {
    let sentence = format!("the call was silent for {} seconds and was ended", idle.as_secs());
    Failure::Rpc(RpcError::new(INTERNAL_ERROR, sentence))
}
