//! No sessions and no handshake; questions to the client are results; changes come on a stream that is asked for.
//! <https://modelcontextprotocol.io/specification/2026-07-28>

use std::collections::HashMap;

use bytes::Bytes;
use everything_proto::{
    events::v1::Change,
    feature::v1::{
        CacheHint, Capabilities, ClientCapabilities, CompleteResponse, DescribeResponse, Error, InputRequest,
        ListPromptsResponse, ListResourceTemplatesResponse, ListResourcesResponse, ListToolsResponse, Log,
        LogLevel, Progress, cache_hint::Scope,
    },
    session::v1::{Task, TaskStatus},
};
use serde_json::value::RawValue;

use super::{
    ClientRequest, RequestMeta, Revision, ask, errors, handshake,
    json::{self, Object, ObjectWriter},
    lists, notify,
    params::Params,
    requests, results,
    session_wire::Has,
    stateless::{Envelope, Filter, Stateless},
    tasks, v2025_11_25,
};
use crate::jsonrpc::{self, RequestId, RpcError};

const VERSION: &str = "2026-07-28";

const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
const TASKS: &str = "io.modelcontextprotocol/tasks";
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// Resources that one stream may listen to.
const MAX_SUBSCRIPTIONS: usize = 100;
/// Bytes of a `requestState` that are looked at.
const MAX_STATE_BYTES: usize = 1024 * 1024;

pub(super) static REVISION: V2026_07_28 = V2026_07_28;

pub(super) struct V2026_07_28;

/// Results are worded as in the newest revision with sessions, but that structured content may be any JSON.
static HAS: &Has = &Has {
    structured_values: true,
    ..v2025_11_25::HAS
};

impl Revision for V2026_07_28 {
    fn version(&self) -> &'static str {
        VERSION
    }

    fn request(
        &self,
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

    fn client_capabilities(&self, declared: &RawValue) -> ClientCapabilities {
        handshake::client_capabilities(HAS, declared)
    }

    fn tools(&self, list: &ListToolsResponse) -> Bytes {
        cacheable(&lists::tools(HAS, list), list.cache.as_ref())
    }

    fn resources(&self, list: &ListResourcesResponse) -> Bytes {
        cacheable(&lists::resources(HAS, list), list.cache.as_ref())
    }

    fn resource_templates(&self, list: &ListResourceTemplatesResponse) -> Bytes {
        cacheable(&lists::resource_templates(HAS, list), list.cache.as_ref())
    }

    fn prompts(&self, list: &ListPromptsResponse) -> Bytes {
        cacheable(&lists::prompts(HAS, list), list.cache.as_ref())
    }

    fn completion(&self, completion: &CompleteResponse) -> Bytes {
        lists::completion(completion)
    }

    fn call_tool_result(&self, result: Bytes) -> Result<Bytes, RpcError> {
        results::call_tool(HAS, result)
    }

    fn read_resource_result(&self, result: Bytes) -> Result<Bytes, RpcError> {
        results::read_resource(HAS, result)
    }

    fn get_prompt_result(&self, result: Bytes) -> Result<Bytes, RpcError> {
        results::get_prompt(HAS, result)
    }

    fn feature_error(&self, error: &Error) -> RpcError {
        errors::of_2026(error)
    }

    fn progress(&self, token: &RawValue, progress: &Progress) -> Bytes {
        notify::progress(HAS, token, progress)
    }

    fn log(&self, log: &Log) -> Bytes {
        notify::message(log.level, &log.logger, &log.data_json)
    }

    fn resource_updated(&self, uri: &str) -> Bytes {
        notify::resource_updated(uri)
    }

    fn change(&self, change: &Change) -> Option<Bytes> {
        notify::change(change)
    }

    fn input_response(&self, request: &InputRequest, result: &RawValue) -> Result<Bytes, RpcError> {
        ask::response(request, result)
    }
}

impl Stateless for V2026_07_28 {
    fn named_version(&self, params: Option<&RawValue>) -> Option<String> {
        let params = Object::pick(params?.get(), &["_meta"]).ok()?;
        let meta = Object::parse(params.get("_meta")?.get()).ok()?;
        meta.string(PROTOCOL_VERSION).map(|version| version.into_owned())
    }

    fn envelope(&self, params: Option<&RawValue>) -> Result<Envelope, RpcError> {
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
            capabilities: self.client_capabilities(declared),
            log_level,
            input_responses: input_responses(&params)?,
            request_state,
        })
    }

    fn discover_result(&self, server: &DescribeResponse, versions: &[&str]) -> Bytes {
        let can = server.capabilities.clone().unwrap_or_default();
        let declared = handshake::capabilities(HAS, &can);
        let capabilities = match extensions(&can) {
            Some(extensions) => with_meta(&declared, &[("extensions", &extensions)], &[]),
            None => declared,
        };
        let mut result = ObjectWriter::new();
        result.value("supportedVersions", &versions);
        result.raw("capabilities", capabilities);
        result.text_if("instructions", &server.instructions);
        result.finish().into()
    }

    fn complete(&self, result: &[u8], cache: Option<&CacheHint>, server_info: &[u8]) -> Bytes {
        let result = match cache {
            Some(_) => cacheable(result, cache),
            None => Bytes::copy_from_slice(result),
        };
        typed(&result, "complete", &[(SERVER_INFO, server_info)])
    }

    fn signed(&self, result: &[u8], server_info: &[u8]) -> Bytes {
        with_meta(result, &[], &[(SERVER_INFO, server_info)]).into()
    }

    fn server_info(&self, server: &DescribeResponse) -> Bytes {
        handshake::implementation(HAS, server).into()
    }

    fn input_required(
        &self,
        requests: &[InputRequest],
        request_state: &str,
        declared: &ClientCapabilities,
    ) -> Result<Bytes, RpcError> {
        let questions = questions(requests, declared)?;
        let mut result = ObjectWriter::new();
        result.value("resultType", &"input_required");
        result.raw("inputRequests", questions);
        result.value("requestState", &request_state);
        Ok(result.finish().into())
    }

    fn can_ask(&self, requests: &[InputRequest], declared: &ClientCapabilities) -> Result<(), RpcError> {
        questions(requests, declared).map(|_| ())
    }

    fn task_created(&self, task: &Task, server_info: &[u8]) -> Bytes {
        typed(
            &tasks::members(task).finish(),
            "task",
            &[(SERVER_INFO, server_info)],
        )
    }

    fn task(&self, task: &Task, server_info: &[u8]) -> Result<Bytes, RpcError> {
        Ok(self.complete(&self.detailed_task(task, server_info)?, None, server_info))
    }

    fn task_changed(&self, task: &Task, server_info: &[u8]) -> Result<Bytes, RpcError> {
        let params = self.detailed_task(task, server_info)?;
        Ok(jsonrpc::notification("notifications/tasks", Some(&params)))
    }

    fn acknowledged(&self, subscription: &RequestId, honoured: &Filter) -> Bytes {
        let mut filter = ObjectWriter::new();
        for (name, wanted) in [
            ("toolsListChanged", honoured.tools_list_changed),
            ("promptsListChanged", honoured.prompts_list_changed),
            ("resourcesListChanged", honoured.resources_list_changed),
        ] {
            if wanted {
                filter.value(name, &true);
            }
        }
        if !honoured.resource_subscriptions.is_empty() {
            filter.value("resourceSubscriptions", &honoured.resource_subscriptions);
        }
        if !honoured.task_ids.is_empty() {
            filter.value("taskIds", &honoured.task_ids);
        }
        let mut params = ObjectWriter::new();
        params.raw("notifications", filter.finish());
        let notification =
            jsonrpc::notification("notifications/subscriptions/acknowledged", Some(&params.finish()));
        self.on_subscription(&notification, subscription)
    }

    fn on_subscription(&self, notification: &[u8], subscription: &RequestId) -> Bytes {
        let Some(message) = parse(notification) else {
            return Bytes::copy_from_slice(notification);
        };
        let params = message.get("params").map_or("{}", RawValue::get);
        let id = subscription.to_json();
        let mut out = ObjectWriter::new();
        out.copy(&message, &["jsonrpc", "method"]);
        out.raw(
            "params",
            with_meta(params.as_bytes(), &[], &[(SUBSCRIPTION_ID, &id)]),
        );
        out.finish().into()
    }

    fn subscription_ended(&self, subscription: &RequestId, server_info: &[u8]) -> Bytes {
        let id = subscription.to_json();
        typed(
            b"{}",
            "complete",
            &[(SUBSCRIPTION_ID, &id), (SERVER_INFO, server_info)],
        )
    }
}

impl V2026_07_28 {
    /// `DetailedTask`.
    fn detailed_task(&self, task: &Task, server_info: &[u8]) -> Result<Vec<u8>, RpcError> {
        let mut out = tasks::members(task);
        match task.status() {
            TaskStatus::InputRequired => {
                let declared = task.client_capabilities.clone().unwrap_or_default();
                out.raw("inputRequests", questions(&task.input_requests, &declared)?);
            }
            TaskStatus::Completed => {
                // What the call would have been answered.
                let result = self.call_tool_result(task.result_json.clone())?;
                out.raw("result", self.complete(&result, None, server_info));
            }
            TaskStatus::Failed => {
                out.value(
                    "error",
                    &self.feature_error(&task.error.clone().unwrap_or_default()),
                );
            }
            TaskStatus::Unspecified | TaskStatus::Working | TaskStatus::Cancelled => {}
        }
        Ok(out.finish())
    }
}

/// `InputRequests`: questions by key.
fn questions(requests: &[InputRequest], declared: &ClientCapabilities) -> Result<Vec<u8>, RpcError> {
    let mut questions = ObjectWriter::new();
    for request in requests {
        let (method, params) =
            ask::question(HAS, None, request, declared).map_err(errors::missing_capability)?;
        let mut question = ObjectWriter::new();
        question.value("method", &method);
        if let Some(params) = params {
            question.raw("params", params);
        }
        questions.raw(&request.key, question.finish());
    }
    Ok(questions.finish())
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

fn extensions(can: &Capabilities) -> Option<Vec<u8>> {
    let mut can = can.clone();
    // What the edge does with a feature's tasks, whatever the feature calls it.
    can.extensions_json.remove(TASKS);
    if can.tasks {
        can.extensions_json
            .insert(TASKS.to_owned(), Bytes::from_static(b"{}"));
    }
    let mut names: Vec<&String> = can.extensions_json.keys().collect();
    names.sort();
    let mut out = ObjectWriter::new();
    for name in names {
        out.raw_if(
            name,
            can.extensions_json
                .get(name)
                .and_then(|settings| json::open_object(settings)),
        );
    }
    (!out.is_empty()).then(|| out.finish())
}

/// `ttlMs` and `cacheScope` ("Caching"). Without a hint: ask again, for this user only.
fn cacheable(result: &[u8], cache: Option<&CacheHint>) -> Bytes {
    let ttl_ms = cache.map_or(0, |cache| cache.ttl_ms).to_string();
    let scope: &[u8] = match cache.map(CacheHint::scope) {
        Some(Scope::Public) => br#""public""#,
        Some(Scope::Private | Scope::Unspecified) | None => br#""private""#,
    };
    with_meta(
        result,
        &[("ttlMs", ttl_ms.as_bytes()), ("cacheScope", scope)],
        &[],
    )
    .into()
}

fn typed(result: &[u8], result_type: &str, meta: &[(&str, &[u8])]) -> Bytes {
    let result_type = format!("{result_type:?}");
    with_meta(result, &[("resultType", result_type.as_bytes())], meta).into()
}

/// An object with further members, which come first, and further members in its `_meta`.
fn with_meta(object: &[u8], members: &[(&str, &[u8])], meta: &[(&str, &[u8])]) -> Vec<u8> {
    let object = parse(object).unwrap_or_default();
    let mut out = ObjectWriter::new();
    for (name, value) in members {
        out.raw(name, value);
    }
    for (name, value) in object.iter() {
        if name != "_meta" && !members.iter().any(|(member, _)| *member == name) {
            out.raw(name, value.get());
        }
    }
    let mut merged = ObjectWriter::new();
    let own = object
        .get("_meta")
        .and_then(|own| Object::parse(own.get()).ok())
        .unwrap_or_default();
    for (name, value) in own.iter() {
        if !meta.iter().any(|(member, _)| *member == name) {
            merged.raw(name, value.get());
        }
    }
    for (name, value) in meta {
        merged.raw(name, value);
    }
    if !merged.is_empty() {
        out.raw("_meta", merged.finish());
    }
    out.finish()
}

fn parse(json: &[u8]) -> Option<Object<'_>> {
    Object::parse(std::str::from_utf8(json).ok()?).ok()
}
