//! Calls of a feature: `tools/call`, `resources/read`, `prompts/get`, `resources/subscribe`.
//!
//! A call runs in rounds. Each is one RPC; one that ends in `InputRequired` is followed by another, with the client's
//! answers. Between rounds nobody but this loop knows of the call, so each may go to another replica.

use std::{collections::HashMap, time::Duration};

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
    /// Whether calling twice does no harm. A tool's own hints come from whoever wrote it; see `annotations`.
    pub fn is_repeatable(&self) -> bool {
        match self {
            Self::Tool { .. } => false,
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

    async fn round(&self, context: CallContext) -> Result<Round, Failure> {
        let mut attempt = 1;
        loop {
            let mut heard = false;
            match self.attempt(context.clone(), &mut heard).await {
                Err(Broken::Status(status))
                    if status.code() == Code::Unavailable
                        && !heard
                        && self.call.is_repeatable()
                        && attempt < ATTEMPTS =>
                {
                    tokio::time::sleep(backoff(attempt)).await;
                    attempt += 1;
                }
                Err(Broken::Status(status)) => return Err(Failure::of_feature(&status)),
                Err(Broken::Failure(failure)) => return Err(failure),
                Ok(round) => return Ok(round),
            }
        }
    }

    async fn attempt(&self, context: CallContext, heard: &mut bool) -> Result<Round, Broken> {
        let mut events = self.call.start(self.mcp, context).await?;
        let idle = self.mcp.settings.call_idle_timeout;
        loop {
            let event = match tokio::time::timeout(idle, events.message()).await {
                Ok(event) => event?.and_then(|event| event.event),
                Err(_) => return Err(Broken::Failure(silent(idle))),
            };
            *heard = true;
            let Some(event) = event else {
                return Err(
                    Status::internal("the feature service ended a call without a terminal event").into(),
                );
            };
            match event {
                Event::Progress(progress) => {
                    if let Some(token) = &self.meta.progress_token {
                        self.notify(PROGRESS, self.asker.revision.progress(token, &progress))
                            .await?;
                    }
                }
                Event::Log(log) => {
                    if log.level() >= self.asker.session.log_level && log.level() != LogLevel::Unspecified {
                        self.notify(MESSAGE, self.asker.revision.log(&log)).await?;
                    }
                }
                Event::InputRequired(required) if required.requests.is_empty() => {
                    return Err(Status::internal("a feature requires input but asks for none").into());
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

    async fn notify(&self, method: &'static str, message: Bytes) -> Result<(), Failure> {
        let operation = Operation::to_client(method)
            .in_revision(self.asker.revision.version())
            .in_session(&self.asker.session.session_id);
        let message = operation.carried_by(message);
        let sent = self.exchange.notify(message).instrument(operation.span()).await;
        match sent {
            Ok(()) => operation.succeeded(b""),
            Err(_) => operation.broke(NOT_SENT),
        }
        match sent {
            Ok(()) => Ok(()),
            Err(NotSent::SessionEnded) => Err(Failure::SessionEnded),
            // Progress and logs are worth less than the call.
            Err(NotSent::Unavailable | NotSent::StreamOver) => Ok(()),
        }
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
        }
    }
}

/// A feature that says nothing for too long.
pub fn silent(idle: Duration) -> Failure {
    let sentence = format!("the call was silent for {} seconds and was ended", idle.as_secs());
    Failure::Rpc(RpcError::new(INTERNAL_ERROR, sentence))
}
