//! Between the contract's messages and the fixtures' types.

use std::sync::Arc;

use bytes::Bytes;
use change_feed::ChangeFeed;
use everything_proto::feature::v1::{
    CacheHint, CallContext, CallEvent, CloseStream, CompleteResponse, Error, InputRequest, InputRequired,
    ListRoots, Log, LogLevel, Progress, Result as CallResult, call_event::Event, input_request::Request,
};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tonic::Status;

use crate::call::{
    Answer, Call, Capabilities, Failure, Level, Question, QuestionKind, Reply, Report, Reporter,
};

/// Unread reports of a call; its work waits beyond.
const REPORTS: usize = 16;

/// A call and the reports it will make.
pub fn call(
    context: Option<CallContext>,
    arguments: Map<String, Value>,
    changes: Arc<dyn ChangeFeed>,
) -> Result<(Call, mpsc::Receiver<Report>), Status> {
    let context = context.unwrap_or_default();
    let client = context.client_capabilities.unwrap_or_default();
    let inputs = context
        .inputs_json
        .iter()
        .map(|(key, json)| Ok((key.clone(), serde_json::from_slice(json)?)))
        .collect::<Result<_, serde_json::Error>>()
        .map_err(|_| Status::invalid_argument("inputs_json holds something other than json"))?;
    let (reporter, reports) = Reporter::channel(REPORTS);
    let call = Call {
        arguments,
        client: Capabilities {
            sampling: client.sampling,
            elicitation_form: client.elicitation_form,
            roots: client.roots,
        },
        inputs,
        state: context.state.to_vec(),
        reporter,
        changes,
    };
    Ok((call, reports))
}

/// The terminal event of a call. `cache` is for resources/read.
pub fn answer(answer: Answer, cache: Option<CacheHint>) -> CallEvent {
    event(match answer {
        Ok(Reply::Result(result)) => Event::Result(CallResult {
            result_json: json(&result),
            cache,
        }),
        Ok(Reply::Ask { questions, state }) => Event::InputRequired(InputRequired {
            requests: questions.into_iter().map(question).collect(),
            state: state.into(),
        }),
        Err(error) => Event::Error(failure(error)),
    })
}

pub fn report(report: Report) -> CallEvent {
    event(match report {
        Report::Progress {
            progress,
            total,
            message,
        } => Event::Progress(Progress {
            progress,
            total: Some(total),
            message,
        }),
        Report::Log {
            level: Level::Info,
            data,
        } => Event::Log(Log {
            level: LogLevel::Info.into(),
            logger: String::new(),
            data_json: json(&data),
        }),
        Report::CloseStream { retry } => Event::CloseStream(CloseStream {
            retry_ms: u64::try_from(retry.as_millis()).unwrap_or(u64::MAX),
        }),
    })
}

pub fn completion(completed: Result<Vec<&'static str>, Failure>) -> CompleteResponse {
    match completed {
        Ok(values) => CompleteResponse {
            total: u32::try_from(values.len()).ok(),
            values: values.into_iter().map(str::to_owned).collect(),
            has_more: false,
            error: None,
        },
        Err(error) => CompleteResponse {
            error: Some(failure(error)),
            ..CompleteResponse::default()
        },
    }
}

pub fn failure(Failure { code, message, data }: Failure) -> Error {
    Error {
        code,
        message,
        data_json: data.as_ref().map(json).unwrap_or_default(),
    }
}

pub fn json(value: &Value) -> Bytes {
    value.to_string().into()
}

fn question(Question { key, kind }: Question) -> InputRequest {
    let request = match kind {
        QuestionKind::Sampling(params) => Request::SamplingJson(json(&params)),
        QuestionKind::Form(params) => Request::ElicitationFormJson(json(&params)),
        QuestionKind::Roots => Request::ListRoots(ListRoots {}),
    };
    InputRequest {
        key: key.to_owned(),
        request: Some(request),
    }
}

fn event(event: Event) -> CallEvent {
    CallEvent { event: Some(event) }
}
