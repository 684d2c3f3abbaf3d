//! Between the contract's messages and the domain's types.

use everything_proto::feature::v1::{self as proto, CallEvent, call_event, input_request};
use serde_json::Value;
use tokio::sync::mpsc;
use tonic::Status;

use super::result;
use crate::{
    call::{Call, Caller, ClientCapabilities, Event, EventSink, LogLevel, Principal},
    completion::{Completion, MAX_VALUES},
    content::{Icon, ToolResult},
    error::{Error, McpError},
    features,
    outcome::{InputRequest, InputRequired, Outcome},
    prompts,
    resources::{CacheHint, CacheScope, Listed, Template},
    tools,
};

pub(super) fn caller(context: proto::CallContext) -> Caller {
    let principal = context.principal.unwrap_or_default();
    let capabilities = context.client_capabilities.unwrap_or_default();
    Caller {
        principal: Principal {
            user_id: principal.user_id,
            client_id: principal.client_id,
            scopes: principal.scopes,
        },
        session_key: context.session_key,
        capabilities: ClientCapabilities {
            sampling: capabilities.sampling,
            sampling_tools: capabilities.sampling_tools,
            sampling_context: capabilities.sampling_context,
            elicitation_form: capabilities.elicitation_form,
            elicitation_url: capabilities.elicitation_url,
            roots: capabilities.roots,
            extensions: capabilities.extensions_json,
        },
    }
}

/// A call, and what will be told of it.
pub(super) fn call(mut context: proto::CallContext) -> Result<(Call, mpsc::Receiver<Event>), McpError> {
    let inputs = std::mem::take(&mut context.inputs_json)
        .into_iter()
        .map(|(key, json)| match serde_json::from_slice::<Value>(&json) {
            Ok(value) => Ok((key, value)),
            Err(error) => Err(McpError::invalid_params(format!(
                "the answer {key:?} is not valid JSON: {error}"
            ))),
        })
        .collect::<Result<_, _>>()?;
    let log_level = wanted_level(context.log_level());
    let (events, receiver) = EventSink::new(context.wants_progress, log_level);
    let state = std::mem::take(&mut context.state);
    Ok((
        Call {
            caller: caller(context),
            inputs,
            state,
            events,
        },
        receiver,
    ))
}

fn wanted_level(level: proto::LogLevel) -> Option<LogLevel> {
    match level {
        proto::LogLevel::Unspecified => None,
        proto::LogLevel::Debug => Some(LogLevel::Debug),
        proto::LogLevel::Info => Some(LogLevel::Info),
        proto::LogLevel::Notice => Some(LogLevel::Notice),
        proto::LogLevel::Warning => Some(LogLevel::Warning),
        proto::LogLevel::Error => Some(LogLevel::Error),
        proto::LogLevel::Critical => Some(LogLevel::Critical),
        proto::LogLevel::Alert => Some(LogLevel::Alert),
        proto::LogLevel::Emergency => Some(LogLevel::Emergency),
    }
}

impl From<LogLevel> for proto::LogLevel {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Debug => Self::Debug,
            LogLevel::Info => Self::Info,
            LogLevel::Notice => Self::Notice,
            LogLevel::Warning => Self::Warning,
            LogLevel::Error => Self::Error,
            LogLevel::Critical => Self::Critical,
            LogLevel::Alert => Self::Alert,
            LogLevel::Emergency => Self::Emergency,
        }
    }
}

pub(super) fn event(event: Event) -> CallEvent {
    let event = match event {
        Event::Progress {
            progress,
            total,
            message,
        } => call_event::Event::Progress(proto::Progress {
            progress,
            total,
            message,
        }),
        Event::Log { level, logger, data } => call_event::Event::Log(proto::Log {
            level: proto::LogLevel::from(level).into(),
            logger: logger.to_owned(),
            data_json: data.to_string().into(),
        }),
    };
    CallEvent { event: Some(event) }
}

pub(super) fn outcome(outcome: Outcome<ToolResult>) -> Result<call_event::Event, Error> {
    match outcome {
        Outcome::Result(value) => result(&value, None),
        Outcome::InputRequired(InputRequired { requests, state }) => {
            let requests = requests.into_iter().map(|(key, request)| proto::InputRequest {
                key: key.to_owned(),
                request: Some(input_request(request)),
            });
            Ok(call_event::Event::InputRequired(proto::InputRequired {
                requests: requests.collect(),
                state,
            }))
        }
    }
}

fn input_request(request: InputRequest) -> input_request::Request {
    use input_request::Request;
    match request {
        InputRequest::Sampling(params) => Request::SamplingJson(params.to_string().into()),
        InputRequest::ElicitationForm(params) => Request::ElicitationFormJson(params.to_string().into()),
        InputRequest::ElicitationUrl(params) => Request::ElicitationUrlJson(params.to_string().into()),
        InputRequest::ListRoots => Request::ListRoots(proto::ListRoots {}),
    }
}

pub(super) fn error(error: McpError) -> proto::Error {
    let McpError { code, message, data } = error;
    proto::Error {
        code,
        message,
        data_json: json_or_empty(data),
    }
}

/// The client's mistakes go in band; ours are logged, and a constant sentence goes out.
pub(super) fn in_band(error: Error) -> Result<proto::Error, Status> {
    match error {
        Error::Mcp(error) => Ok(self::error(error)),
        Error::Store(error) => {
            tracing::warn!(%error, "the store of session resources failed");
            Err(Status::unavailable(
                "the store of session resources is unavailable",
            ))
        }
        Error::Encode(error) => {
            tracing::error!(%error, "a result cannot be encoded");
            Err(Status::internal("a result cannot be encoded"))
        }
    }
}

pub(super) fn description() -> proto::DescribeResponse {
    let extensions_json = features::extensions()
        .into_iter()
        .map(|(name, settings)| (name.to_owned(), settings.into()))
        .collect();
    proto::DescribeResponse {
        name: features::NAME.to_owned(),
        version: features::VERSION.to_owned(),
        title: features::TITLE.to_owned(),
        description: features::DESCRIPTION.to_owned(),
        website_url: String::new(),
        icons: vec![icon(Icon::tiny_image())],
        instructions: features::INSTRUCTIONS.to_owned(),
        capabilities: Some(proto::Capabilities {
            tools: true,
            tools_list_changed: true,
            resources: true,
            resources_list_changed: true,
            resources_subscribe: true,
            prompts: true,
            prompts_list_changed: true,
            logging: true,
            completions: true,
            extensions_json,
            tasks: true,
        }),
    }
}

pub(super) fn tool(entry: &tools::Entry) -> proto::Tool {
    let definition = &entry.definition;
    proto::Tool {
        name: definition.name.to_owned(),
        title: definition.title.to_owned(),
        description: definition.description.to_owned(),
        icons: vec![icon(Icon::pictograph(definition.pictograph))],
        input_schema_json: entry.input_schema.to_string().into(),
        output_schema_json: json_or_empty(definition.output_schema.as_ref()),
        annotations: Some(proto::ToolAnnotations {
            read_only: Some(definition.hints.read_only),
            destructive: Some(definition.hints.destructive),
            idempotent: Some(definition.hints.idempotent),
            open_world: Some(definition.hints.open_world),
        }),
        task_support: match entry.task_support {
            tools::TaskSupport::Forbidden => proto::tool::TaskSupport::Forbidden,
            tools::TaskSupport::Optional => proto::tool::TaskSupport::Optional,
        }
        .into(),
        meta_json: json_or_empty(definition.meta.as_ref()),
        ..proto::Tool::default()
    }
}

pub(super) fn resource(listed: Listed) -> proto::Resource {
    proto::Resource {
        uri: listed.uri,
        name: listed.name,
        title: listed.title,
        description: listed.description,
        mime_type: listed.mime_type,
        size: Some(listed.size),
        icons: Vec::new(),
        annotations_json: bytes::Bytes::new(),
        meta_json: json_or_empty(listed.meta),
    }
}

pub(super) fn template(template: Template) -> proto::ResourceTemplate {
    proto::ResourceTemplate {
        uri_template: template.uri_template.to_owned(),
        name: template.name.to_owned(),
        title: template.title.to_owned(),
        description: template.description.to_owned(),
        ..proto::ResourceTemplate::default()
    }
}

pub(super) fn prompt(definition: prompts::Definition) -> proto::Prompt {
    let arguments = definition.arguments.iter().map(|argument| proto::PromptArgument {
        name: argument.name.to_owned(),
        title: argument.title.to_owned(),
        description: argument.description.to_owned(),
        required: argument.required,
    });
    proto::Prompt {
        name: definition.name.to_owned(),
        title: definition.title.to_owned(),
        description: definition.description.to_owned(),
        arguments: arguments.collect(),
        icons: vec![icon(Icon::pictograph(definition.pictograph))],
        meta_json: bytes::Bytes::new(),
    }
}

pub(super) fn completion(completion: Completion) -> proto::CompleteResponse {
    let Completion { values, total } = completion;
    proto::CompleteResponse {
        has_more: total > MAX_VALUES,
        total: u32::try_from(total).ok(),
        values,
        error: None,
    }
}

pub(super) fn cache(hint: CacheHint) -> proto::CacheHint {
    let scope = match hint.scope {
        CacheScope::Public => proto::cache_hint::Scope::Public,
        CacheScope::Private => proto::cache_hint::Scope::Private,
    };
    proto::CacheHint {
        ttl_ms: u64::try_from(hint.ttl.as_millis()).unwrap_or(u64::MAX),
        scope: scope.into(),
    }
}

fn icon(icon: Icon) -> proto::Icon {
    proto::Icon {
        src: icon.src,
        mime_type: icon.mime_type.to_owned(),
        sizes: vec![icon.sizes.to_owned()],
        theme: String::new(),
    }
}

fn json_or_empty(value: Option<impl ToString>) -> bytes::Bytes {
    value.map_or_else(bytes::Bytes::new, |value| value.to_string().into())
}
