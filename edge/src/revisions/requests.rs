//! Requests and notifications of the revisions with sessions. They share their methods.

use everything_proto::feature::v1::LogLevel;
use serde_json::value::RawValue;

use super::{
    ClientNotification, ClientRequest, Complete, Initialize, Reference, RequestMeta, TaskWish, notify,
    params::Params, session_wire::Has,
};
use crate::jsonrpc::RpcError;

/// Bytes of `capabilities` and of `clientInfo`: both are kept as long as the session.
const MAX_HANDSHAKE_BYTES: usize = 64 * 1024;

pub(super) fn request(
    has: &Has,
    method: &str,
    params: Option<&RawValue>,
) -> Result<(ClientRequest, RequestMeta), RpcError> {
    let read = |names| Params::read(params, names);
    let (params, request) = match method {
        "initialize" => {
            let params = read(&["_meta", "protocolVersion", "capabilities", "clientInfo"])?;
            let request = ClientRequest::Initialize(initialize(&params)?);
            (params, request)
        }
        "ping" => (read(&["_meta"])?, ClientRequest::Ping),
        "tools/list" => {
            let params = read(&["_meta", "cursor"])?;
            let cursor = params.optional_word("cursor")?;
            (params, ClientRequest::ListTools { cursor })
        }
        "resources/list" => {
            let params = read(&["_meta", "cursor"])?;
            let cursor = params.optional_word("cursor")?;
            (params, ClientRequest::ListResources { cursor })
        }
        "resources/templates/list" => {
            let params = read(&["_meta", "cursor"])?;
            let cursor = params.optional_word("cursor")?;
            (params, ClientRequest::ListResourceTemplates { cursor })
        }
        "prompts/list" => {
            let params = read(&["_meta", "cursor"])?;
            let cursor = params.optional_word("cursor")?;
            (params, ClientRequest::ListPrompts { cursor })
        }
        "tools/call" => {
            let params = read(&["_meta", "name", "arguments", "task"])?;
            let name = params.word("name")?;
            let arguments = params.object("arguments")?.map(ToOwned::to_owned);
            // Where it means nothing it may be anything.
            let task = if has.core_tasks { task_wish(&params)? } else { None };
            let request = ClientRequest::CallTool {
                name,
                arguments,
                task,
            };
            (params, request)
        }
        "resources/read" => {
            let params = read(&["_meta", "uri"])?;
            let uri = params.word("uri")?;
            (params, ClientRequest::ReadResource { uri })
        }
        "resources/subscribe" => {
            let params = read(&["_meta", "uri"])?;
            let uri = params.word("uri")?;
            (params, ClientRequest::Subscribe { uri })
        }
        "resources/unsubscribe" => {
            let params = read(&["_meta", "uri"])?;
            let uri = params.word("uri")?;
            (params, ClientRequest::Unsubscribe { uri })
        }
        "prompts/get" => {
            let params = read(&["_meta", "name", "arguments"])?;
            let name = params.word("name")?;
            let arguments = params.strings("arguments")?;
            (params, ClientRequest::GetPrompt { name, arguments })
        }
        "completion/complete" => {
            let params = read(&["_meta", "ref", "argument", "context"])?;
            let request = ClientRequest::Complete(complete(has, &params)?);
            (params, request)
        }
        "logging/setLevel" => {
            let params = read(&["_meta", "level"])?;
            let level = level(&params, "level")?;
            (params, ClientRequest::SetLogLevel { level })
        }
        "tasks/get" if has.core_tasks => {
            let params = read(&["_meta", "taskId"])?;
            let task_id = params.word("taskId")?;
            (params, ClientRequest::GetTask { task_id })
        }
        "tasks/list" if has.core_tasks => {
            let params = read(&["_meta", "cursor"])?;
            let cursor = params.optional_word("cursor")?;
            (params, ClientRequest::ListTasks { cursor })
        }
        "tasks/result" if has.core_tasks => {
            let params = read(&["_meta", "taskId"])?;
            let task_id = params.word("taskId")?;
            (params, ClientRequest::TaskResult { task_id })
        }
        "tasks/cancel" if has.core_tasks => {
            let params = read(&["_meta", "taskId"])?;
            let task_id = params.word("taskId")?;
            (params, ClientRequest::CancelTask { task_id })
        }
        _ => return Err(RpcError::method_not_found(method)),
    };
    Ok((request, params.meta()?))
}

pub(super) fn notification(method: &str, params: Option<&RawValue>) -> Result<ClientNotification, RpcError> {
    Ok(match method {
        "notifications/initialized" => ClientNotification::Initialized,
        "notifications/cancelled" => {
            let params = Params::read(params, &["requestId", "reason"])?;
            ClientNotification::Cancelled {
                request_id: params.request_id("requestId")?,
                reason: params.optional_word("reason")?,
            }
        }
        "notifications/progress" => ClientNotification::Progress,
        "notifications/roots/list_changed" => ClientNotification::RootsListChanged,
        _ => ClientNotification::Unknown,
    })
}

fn task_wish(params: &Params<'_>) -> Result<Option<TaskWish>, RpcError> {
    if params.object("task")?.is_none() {
        return Ok(None);
    }
    let task = params.nested("task", "task.", &["ttl"])?;
    let ttl_ms = task.optional_milliseconds("ttl")?;
    Ok(Some(TaskWish { ttl_ms }))
}

fn initialize(params: &Params<'_>) -> Result<Initialize, RpcError> {
    let protocol_version = params.word("protocolVersion")?;
    let object = |name| {
        params
            .object(name)?
            .ok_or_else(|| params.wrong(name, "an object"))
    };
    let capabilities = object("capabilities")?;
    let client_info = object("clientInfo")?;
    for (name, value) in [("capabilities", capabilities), ("clientInfo", client_info)] {
        if value.get().len() > MAX_HANDSHAKE_BYTES {
            return Err(params.wrong(name, &format!("at most {MAX_HANDSHAKE_BYTES} bytes long")));
        }
    }
    const CAPABILITIES: &[&str] = &[
        "experimental",
        "extensions",
        "roots",
        "sampling",
        "elicitation",
        "tasks",
    ];
    let declared = params.nested("capabilities", "capabilities.", CAPABILITIES)?;
    for name in CAPABILITIES {
        declared.object(name)?;
    }
    let client = params.nested("clientInfo", "clientInfo.", &["name", "version"])?;
    client.word("name")?;
    client.word("version")?;
    Ok(Initialize {
        protocol_version,
        capabilities: capabilities.to_owned(),
        client_info: client_info.to_owned(),
    })
}

fn complete(has: &Has, params: &Params<'_>) -> Result<Complete, RpcError> {
    let reference = params.nested("ref", "ref.", &["type", "name", "uri"])?;
    let reference = match reference.string("type")?.as_str() {
        "ref/prompt" => Reference::Prompt(reference.word("name")?),
        "ref/resource" => Reference::ResourceTemplate(reference.word("uri")?),
        _ => return Err(reference.wrong("type", "\"ref/prompt\" or \"ref/resource\"")),
    };
    let argument = params.nested("argument", "argument.", &["name", "value"])?;
    let resolved_arguments = if has.completion_context && params.has("context") {
        params
            .nested("context", "context.", &["arguments"])?
            .strings("arguments")?
    } else {
        Default::default()
    };
    Ok(Complete {
        reference,
        argument: argument.word("name")?,
        value: argument.string("value")?,
        resolved_arguments,
    })
}

/// A parameter that names a severity.
pub(super) fn level(params: &Params<'_>, parameter: &str) -> Result<LogLevel, RpcError> {
    let name = params.string(parameter)?;
    notify::LEVELS
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(level, _)| *level)
        .ok_or_else(|| {
            let known: Vec<_> = notify::LEVELS.iter().map(|(_, name)| *name).collect();
            params.wrong(parameter, &format!("one of {}", known.join(", ")))
        })
}
