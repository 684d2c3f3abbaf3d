//! One round of a call. What a feature asks of the client goes out as a result, and comes back with the next request.

use std::collections::HashMap;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use everything_proto::feature::v1::{
    CallContext, CallEvent, InputRequired, LogLevel, Result as CallResult, call_event::Event,
};
use futures::stream::{self, StreamExt};
use serde_json::value::RawValue;
use serving::{CancellationToken, retry::backoff};
use telemetry::propagation;
use tonic::{Status, Streaming};
use tracing::Instrument;

use super::{
    Job, bad_state, failed,
    request_state::Remembered,
    tasks::{self, AsTask},
};
use crate::{
    Principal, State,
    error::Fault,
    jsonrpc::{self, RpcError},
    mcp::{
        Mcp,
        calls::{
            ATTEMPTS, Call, MAX_ROUNDS, MESSAGE, PROGRESS, ProgressFloor, is_lost, let_end, lost, silent,
        },
        described::Described,
        event_body,
        operation::Operation,
        post::LEFT,
        refusal::HttpRefusal,
        requests::Failure,
    },
    revisions::Stateless,
    sse::Frame,
};

/// A call under way, with all that words its end. Dropping it cancels the call down to the feature.
struct Running {
    state: State,
    principal: Principal,
    revision: &'static dyn Stateless,
    id: jsonrpc::RequestId,
    operation: Operation,
    progress_token: Option<Box<RawValue>>,
    log_level: LogLevel,
    capabilities: everything_proto::feature::v1::ClientCapabilities,
    described: std::sync::Arc<Described>,
    call: Call,
    rounds: u32,
    context: CallContext,
    /// Answers that the client gave before it was asked.
    offered: HashMap<String, Box<RawValue>>,
    /// None: it has had its terminal event.
    events: Option<Box<Streaming<CallEvent>>>,
    /// How often it was run before.
    runs: u32,
    floor: ProgressFloor,
}

enum Step {
    Notify(Bytes),
    End(Result<Bytes, Failure>),
}

/// Runs one round and answers with JSON, or with a stream if something precedes the result.
pub(super) async fn run(job: Job<'_>, call: Call, as_task: AsTask) -> Result<Response, HttpRefusal> {
    let described = job.state.mcp.described(job.revision).await?;
    let mut context = job.context();
    let mut rounds = 0;
    if let Some(sealed) = &job.envelope.request_state {
        let keys = &job.state.mcp.state_keys;
        let opened = keys
            .open(job.principal, &call, sealed)
            .map_err(|unusable| bad_state(unusable.sentence()))?;
        rounds = opened.rounds;
        propagation::link(&job.operation.span(), &opened.round_before());
        match take_answers(job.revision, &job.envelope.input_responses, opened) {
            Answers::All { answers, state } => {
                context.inputs_json = answers;
                context.state = state;
            }
            Answers::Some(remembered) => {
                // What is missing, or cannot be an answer, is asked again ("Error Handling").
                let result = ask(
                    job.state,
                    job.principal,
                    job.revision,
                    &call,
                    &job.envelope.capabilities,
                    remembered,
                );
                let result = result.map_err(failed)?;
                return Ok(job.answer(&job.revision.signed(&result, &described.info)));
            }
        }
    }
    let is_task = match as_task {
        AsTask::Never => false,
        AsTask::WithAnswers => job.envelope.request_state.is_some(),
        AsTask::Always => true,
    };
    if is_task && described.serves_tasks() {
        return tasks::create(job, call, context).await;
    }
    let offered = if job.envelope.request_state.is_none() {
        job.envelope.input_responses
    } else {
        HashMap::new()
    };
    let events = start(&job.state.mcp, &call, &context).await.map_err(failed)?;
    let mut running = Running {
        state: job.state.clone(),
        principal: job.principal.clone(),
        revision: job.revision,
        id: job.id,
        operation: job.operation,
        progress_token: job.meta.progress_token,
        log_level: job.envelope.log_level,
        capabilities: job.envelope.capabilities,
        described,
        call,
        rounds,
        context,
        offered,
        events: Some(Box::new(events)),
        runs: 0,
        floor: ProgressFloor::default(),
    };
    match running.step().await {
        Step::End(Ok(result)) => {
            running.operation.succeeded(&result);
            Ok(running.response(&result))
        }
        Step::End(Err(failure)) => Err(failed(failure)),
        Step::Notify(first) => Ok(running.into_stream(first)),
    }
}

enum Answers {
    All {
        answers: HashMap<String, Bytes>,
        state: Bytes,
    },
    Some(Remembered),
}

/// Adds what the client answered to what it answered before.
fn take_answers(
    revision: &dyn Stateless,
    responses: &HashMap<String, Box<RawValue>>,
    mut remembered: Remembered,
) -> Answers {
    let outstanding = std::mem::take(&mut remembered.requests);
    for request in outstanding {
        match responses
            .get(&request.key)
            .map(|answer| revision.input_response(&request, answer))
        {
            Some(Ok(answer)) => {
                remembered.answers.insert(request.key.clone(), answer);
            }
            Some(Err(_)) | None => remembered.requests.push(request),
        }
    }
    if remembered.requests.is_empty() {
        Answers::All {
            answers: remembered.answers,
            state: remembered.state,
        }
    } else {
        Answers::Some(remembered)
    }
}

/// The result that asks for what is outstanding.
fn ask(
    state: &State,
    principal: &Principal,
    revision: &'static dyn Stateless,
    call: &Call,
    declared: &everything_proto::feature::v1::ClientCapabilities,
    remembered: Remembered,
) -> Result<Bytes, Failure> {
    let requests = remembered.requests.clone();
    let remembered = remembered.asked_by(propagation::current());
    let sealed = state.mcp.state_keys.seal(principal, call, remembered);
    let sealed = sealed.ok_or(Failure::Fault(Fault::Internal))?;
    revision
        .input_required(&requests, &sealed, declared)
        .map_err(Failure::Rpc)
}

/// Starts the call; at another replica if one does not answer and nothing can have happened.
async fn start(mcp: &Mcp, call: &Call, context: &CallContext) -> Result<Streaming<CallEvent>, Failure> {
    let mut attempt = 1;
    loop {
        match call.start(mcp, context.clone()).await {
            Ok(events) => return Ok(events),
            Err(status)
                if is_lost(&status) && attempt < ATTEMPTS && call.is_repeatable(mcp, context).await =>
            {
                tokio::time::sleep(backoff(attempt)).await;
                attempt += 1;
            }
            Err(status) => return Err(Failure::of_feature(&status)),
        }
    }
}

impl Running {
    /// The next thing to send. After `End` there is nothing.
    async fn step(&mut self) -> Step {
        let idle = self.state.mcp.settings.call_idle_timeout;
        loop {
            let over = self.state.mcp.leaving.over().clone();
            let Some(events) = &mut self.events else {
                return Step::End(Err(Failure::Fault(Fault::Internal)));
            };
            let heard = tokio::select! {
                heard = tokio::time::timeout(idle, events.message()) => heard,
                () = over.cancelled() => return Step::End(Err(Failure::Rpc(RpcError::internal(LEFT)))),
            };
            let heard = match heard {
                Ok(Ok(Some(CallEvent { event: Some(event) }))) => Ok(event),
                Ok(Ok(_)) => Err(Status::internal("a call ended without a terminal event")),
                Ok(Err(status)) => Err(status),
                Err(_) => return Step::End(Err(silent(idle))),
            };
            let event = match heard {
                Ok(event) => event,
                Err(status) => match self.run_again(&status).await {
                    Ok(()) => continue,
                    Err(failure) => return Step::End(Err(failure)),
                },
            };
            if !matches!(event, Event::Progress(_) | Event::Log(_) | Event::CloseStream(_))
                && let Some(events) = self.events.take()
            {
                let_end(*events);
            }
            match event {
                Event::Progress(progress) => {
                    if let Some(token) = &self.progress_token
                        && self.floor.passes(progress.progress)
                    {
                        return self.notify(PROGRESS, self.revision.progress(token, &progress));
                    }
                }
                Event::Log(log) => {
                    let wanted = self.log_level != LogLevel::Unspecified && log.level() >= self.log_level;
                    if wanted && log.level() != LogLevel::Unspecified {
                        return self.notify(MESSAGE, self.revision.log(&log));
                    }
                }
                // This revision has no streams to come back to.
                Event::CloseStream(_) => {}
                Event::InputRequired(required) => match self.input_required(required).await {
                    Ok(Some(result)) => return Step::End(Ok(result)),
                    Ok(None) => {}
                    Err(failure) => return Step::End(Err(failure)),
                },
                Event::Result(result) => return Step::End(self.result(result)),
                Event::Error(error) => {
                    return Step::End(Err(Failure::Rpc(self.revision.feature_error(&error))));
                }
            }
        }
    }

    fn notify(&self, method: &'static str, message: Bytes) -> Step {
        let operation = Operation::to_client(method).in_revision(self.revision.version());
        operation.succeeded(b"");
        Step::Notify(operation.carried_by(message))
    }

    /// Its replica died: where the call does no harm twice, another one runs it.
    async fn run_again(&mut self, status: &Status) -> Result<(), Failure> {
        if !is_lost(status) {
            return Err(Failure::of_feature(status));
        }
        self.runs += 1;
        if self.runs >= ATTEMPTS || !self.call.is_repeatable(&self.state.mcp, &self.context).await {
            tracing::warn!(code = ?status.code(), "a call lost its feature replica");
            return Err(lost());
        }
        let events = start(&self.state.mcp, &self.call, &self.context).await?;
        self.events = Some(Box::new(events));
        Ok(())
    }

    /// The result that asks the client; or none, and the next round runs already, if the client has said it all before.
    async fn input_required(&mut self, required: InputRequired) -> Result<Option<Bytes>, Failure> {
        self.rounds += 1;
        if required.requests.is_empty() || self.rounds as usize > MAX_ROUNDS {
            tracing::warn!("a feature asks the client for nothing, or too often");
            let sentence = "the call asked for input in a way that cannot be served";
            return Err(Failure::Rpc(RpcError::internal(sentence)));
        }
        let remembered = Remembered::new(required.state, required.requests, HashMap::new(), self.rounds);
        let offered = std::mem::take(&mut self.offered);
        match take_answers(self.revision, &offered, remembered) {
            Answers::All { answers, state } => {
                self.context.inputs_json = answers;
                self.context.state = state;
                let events = start(&self.state.mcp, &self.call, &self.context).await;
                self.events = Some(Box::new(events?));
                Ok(None)
            }
            Answers::Some(remembered) => {
                let (state, principal) = (&self.state, &self.principal);
                let result = ask(
                    state,
                    principal,
                    self.revision,
                    &self.call,
                    &self.capabilities,
                    remembered,
                )?;
                Ok(Some(self.revision.signed(&result, &self.described.info)))
            }
        }
    }

    fn result(&self, result: CallResult) -> Result<Bytes, Failure> {
        let CallResult { result_json, cache } = result;
        let (worded, cache) = match &self.call {
            Call::Tool { .. } => (self.revision.call_tool_result(result_json), None),
            Call::Prompt { .. } => (self.revision.get_prompt_result(result_json), None),
            Call::Resource { .. } => (
                self.revision.read_resource_result(result_json),
                // What answers brought about is not the answer to the request alone ("Cache Key").
                Some(
                    cache
                        .filter(|_| self.context.inputs_json.is_empty())
                        .unwrap_or_default(),
                ),
            ),
            Call::Subscribe { .. } => return Err(Failure::Fault(Fault::Internal)),
        };
        let worded = worded.map_err(Failure::Rpc)?;
        Ok(self
            .revision
            .complete(&worded, cache.as_ref(), &self.described.info))
    }

    fn response(&self, result: &[u8]) -> Response {
        crate::error::json_response(http::StatusCode::OK, jsonrpc::result(&self.id, result)).into_response()
    }

    /// The rest of the call as a stream. A client that closes it drops the call.
    fn into_stream(self, first: Bytes) -> Response {
        let keep_alive = self.state.config.sse_keep_alive;
        let first = stream::iter([Frame::message(None, &first).encode()]);
        let rest = stream::unfold(Some(self), |running| async move {
            let mut running = running?;
            let span = running.operation.span();
            match running.step().instrument(span).await {
                Step::Notify(message) => Some((Frame::message(None, &message).encode(), Some(running))),
                Step::End(outcome) => {
                    running.operation.settle(outcome.as_ref());
                    let message = match outcome {
                        Ok(result) => jsonrpc::result(&running.id, &result),
                        Err(failure) => jsonrpc::error(Some(&running.id), &failed(failure).error),
                    };
                    Some((Frame::message(None, &message).encode(), None))
                }
            }
        });
        event_body::respond(first.chain(rest).boxed(), keep_alive, CancellationToken::new())
    }
}
