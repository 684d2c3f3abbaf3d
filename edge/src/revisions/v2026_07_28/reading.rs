//! What a request says, and what it says of itself.

use std::collections::HashMap;

use everything_proto::feature::v1::LogLevel;
use serde_json::value::RawValue;

use super::{CLIENT_CAPABILITIES, CLIENT_INFO, HAS, LOG_LEVEL, PROTOCOL_VERSION};
use crate::{
    jsonrpc::RpcError,
    revisions::{
        ClientRequest, RequestMeta, handshake,
        json::Object,
        params::Params,
        requests,
        stateless::{Envelope, Filter},
    },
};

/// Resources that one stream may listen to.
const MAX_SUBSCRIPTIONS: usize = 100;
/// Bytes of a `requestState` that are looked at.
const MAX_STATE_BYTES: usize = 1024 * 1024;

pub(super) fn request(
    method: &str,
    params: Option<&RawValue>,
) -> Result<(ClientRequest, RequestMeta), RpcError> {
    match method {
        "server/discover" => {
            let params = Params::read(params, &["_meta"])?;
            Ok((ClientRequest::Discover, params.meta()?))
        }
        "subscriptions/listen" => {
            let params = Params::read(params, &["_meta", "notifications"])?;
            Ok((ClientRequest::Listen(filter(&params)?), params.meta()?))
        }
        "tasks/get" => {
            let params = Params::read(params, &["_meta", "taskId"])?;
            let task_id = params.word("taskId")?;
            Ok((ClientRequest::GetTask { task_id }, params.meta()?))
        }
        "tasks/update" => {
            let params = Params::read(params, &["_meta", "taskId", "inputResponses"])?;
            let task_id = params.word("taskId")?;
            if !params.has("inputResponses") {
                return Err(params.wrong("inputResponses", "an object"));
            }
            Ok((ClientRequest::UpdateTask { task_id }, params.meta()?))
        }
        "tasks/cancel" => {
            let params = Params::read(params, &["_meta", "taskId"])?;
            let task_id = params.word("taskId")?;
            Ok((ClientRequest::CancelTask { task_id }, params.meta()?))
        }
        "tools/list"
        | "tools/call"
        | "resources/list"
        | "resources/templates/list"
        | "resources/read"
        | "prompts/list"
        | "prompts/get"
        | "completion/complete" => requests::request(HAS, method, params),
        _ => Err(RpcError::method_not_found(method)),
    }
}

pub(super) fn named_version(params: Option<&RawValue>) -> Option<String> {
    let params = Object::pick(params?.get(), &["_meta"]).ok()?;
    let meta = Object::parse(params.get("_meta")?.get()).ok()?;
    meta.string(PROTOCOL_VERSION).map(|version| version.into_owned())
}

pub(super) fn envelope(params: Option<&RawValue>) -> Result<Envelope, RpcError> {
    let params = Params::read(params, &["_meta", "inputResponses", "requestState"])?;
    let meta = params.nested(
        "_meta",
        "_meta.",
        &[PROTOCOL_VERSION, CLIENT_INFO, CLIENT_CAPABILITIES, LOG_LEVEL],
    )?;
    meta.word(PROTOCOL_VERSION)?;
    // Shown to people only, so a client without a name is served as well.
    meta.object(CLIENT_INFO)?;
    let declared = meta
        .object(CLIENT_CAPABILITIES)?
        .ok_or_else(|| meta.wrong(CLIENT_CAPABILITIES, "an object"))?;
    let log_level = if meta.has(LOG_LEVEL) {
        requests::level(&meta, LOG_LEVEL)?
    } else {
        LogLevel::Unspecified
    };
    let request_state = params.optional_string("requestState")?;
    if request_state
        .as_ref()
        .is_some_and(|state| state.len() > MAX_STATE_BYTES)
    {
        return Err(params.wrong("requestState", "what the server handed out"));
    }
    Ok(Envelope {
        capabilities: handshake::client_capabilities(HAS, declared),
        log_level,
        input_responses: input_responses(&params)?,
        request_state,
    })
}

fn filter(params: &Params<'_>) -> Result<Filter, RpcError> {
    const NAMES: &[&str] = &[
        "toolsListChanged",
        "promptsListChanged",
        "resourcesListChanged",
        "resourceSubscriptions",
        "taskIds",
    ];
    let wanted = params.nested("notifications", "notifications.", NAMES)?;
    Ok(Filter {
        tools_list_changed: wanted.flag("toolsListChanged")?,
        prompts_list_changed: wanted.flag("promptsListChanged")?,
        resources_list_changed: wanted.flag("resourcesListChanged")?,
        resource_subscriptions: wanted.words("resourceSubscriptions", MAX_SUBSCRIPTIONS)?,
        task_ids: wanted.words("taskIds", MAX_SUBSCRIPTIONS)?,
    })
}

fn input_responses(params: &Params<'_>) -> Result<HashMap<String, Box<RawValue>>, RpcError> {
    // Null is no answer, and what is not answered is asked again.
    if params.is_null("inputResponses") {
        return Ok(HashMap::new());
    }
    let Some(responses) = params.object("inputResponses")? else {
        return Ok(HashMap::new());
    };
    let responses = Object::parse(responses.get())
        .map_err(|_| RpcError::invalid_params("`inputResponses` must have no member twice"))?;
    Ok(responses
        .iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect())
}
