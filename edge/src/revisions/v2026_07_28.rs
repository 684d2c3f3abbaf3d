//! No sessions and no handshake; questions to the client are results; changes come on a stream that is asked for.
//! <https://modelcontextprotocol.io/specification/2026-07-28>

mod listening;
mod reading;
mod results;
mod tasks;

use bytes::Bytes;
use everything_proto::{
    events::v1::Change,
    feature::v1::{
        CacheHint, ClientCapabilities, CompleteResponse, DescribeResponse, Error, InputRequest,
        ListPromptsResponse, ListResourceTemplatesResponse, ListResourcesResponse, ListToolsResponse, Log,
        Progress,
    },
    session::v1::Task,
};
use serde_json::value::RawValue;

use super::{
    ClientRequest, RequestMeta, Revision, WithTasks, ask, errors, handshake, lists, meta, notify,
    results as worded,
    session_wire::Has,
    stateless::{Envelope, Filter, Stateless},
    v2025_11_25,
};
use crate::jsonrpc::{RequestId, RpcError};

const VERSION: &str = "2026-07-28";

const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
const TASKS: &str = "io.modelcontextprotocol/tasks";
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

pub(super) static REVISION: V2026_07_28 = V2026_07_28;

pub(super) struct V2026_07_28;

/// Results are worded as in the newest revision with sessions, but that structured content may be any JSON.
static HAS: &Has = &Has {
    structured_values: true,
    // An extension here.
    core_tasks: false,
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
        reading::request(method, params)
    }

    fn client_capabilities(&self, declared: &RawValue) -> ClientCapabilities {
        handshake::client_capabilities(HAS, declared)
    }

    fn tools(&self, list: &ListToolsResponse) -> Bytes {
        results::cacheable(&lists::tools(HAS, list), list.cache.as_ref())
    }

    fn resources(&self, list: &ListResourcesResponse) -> Bytes {
        results::cacheable(&lists::resources(HAS, list), list.cache.as_ref())
    }

    fn resource_templates(&self, list: &ListResourceTemplatesResponse) -> Bytes {
        results::cacheable(&lists::resource_templates(HAS, list), list.cache.as_ref())
    }

    fn prompts(&self, list: &ListPromptsResponse) -> Bytes {
        results::cacheable(&lists::prompts(HAS, list), list.cache.as_ref())
    }

    fn completion(&self, completion: &CompleteResponse) -> Bytes {
        lists::completion(completion)
    }

    fn call_tool_result(&self, result: Bytes) -> Result<Bytes, RpcError> {
        worded::call_tool(HAS, result)
    }

    fn read_resource_result(&self, result: Bytes) -> Result<Bytes, RpcError> {
        worded::read_resource(HAS, result)
    }

    fn get_prompt_result(&self, result: Bytes) -> Result<Bytes, RpcError> {
        worded::get_prompt(HAS, result)
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

impl WithTasks for V2026_07_28 {
    /// Fails with -32021 where it did not declare what is needed.
    fn can_ask(&self, requests: &[InputRequest], declared: &ClientCapabilities) -> Result<(), RpcError> {
        results::questions(requests, declared).map(|_| ())
    }

    /// A tool that reports an error has done its work ("Task Status").
    fn is_failure(&self, _: &[u8]) -> bool {
        false
    }
}

impl Stateless for V2026_07_28 {
    fn named_version(&self, params: Option<&RawValue>) -> Option<String> {
        reading::named_version(params)
    }

    fn envelope(&self, params: Option<&RawValue>) -> Result<Envelope, RpcError> {
        reading::envelope(params)
    }

    fn discover_result(&self, server: &DescribeResponse, versions: &[&str]) -> Bytes {
        results::discover(server, versions)
    }

    fn complete(&self, result: &[u8], cache: Option<&CacheHint>, server_info: &[u8]) -> Bytes {
        results::complete(result, cache, server_info)
    }

    fn signed(&self, result: &[u8], server_info: &[u8]) -> Bytes {
        meta::with_meta(result, &[], &[(SERVER_INFO, server_info)]).into()
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
        results::input_required(requests, request_state, declared)
    }

    fn task_created(&self, task: &Task, server_info: &[u8]) -> Bytes {
        tasks::created(task, server_info)
    }

    fn task(&self, task: &Task, server_info: &[u8]) -> Result<Bytes, RpcError> {
        tasks::got(task, server_info)
    }

    fn task_changed(&self, task: &Task, server_info: &[u8]) -> Result<Bytes, RpcError> {
        tasks::changed(task, server_info)
    }

    fn acknowledged(&self, subscription: &RequestId, honoured: &Filter) -> Bytes {
        listening::acknowledged(subscription, honoured)
    }

    fn on_subscription(&self, notification: &[u8], subscription: &RequestId) -> Bytes {
        listening::on_subscription(notification, subscription)
    }

    fn subscription_ended(&self, subscription: &RequestId, server_info: &[u8]) -> Bytes {
        listening::ended(subscription, server_info)
    }
}
