use bytes::Bytes;
use everything_proto::{
    events::v1::Change,
    feature::v1::{
        ClientCapabilities, CompleteResponse, DescribeResponse, Error, InputRequest, ListPromptsResponse,
        ListResourceTemplatesResponse, ListResourcesResponse, ListToolsResponse, Log, Progress,
    },
};
use serde_json::value::RawValue;

use super::{
    ClientNotification, ClientRequest, CoreTasks, RequestMeta, Revision, WithSessions, ask, core_tasks,
    errors, handshake, lists, notify, requests, results,
};
use crate::jsonrpc::RpcError;

/// A revision with the `initialize` handshake: 2024-11-05 to 2025-11-25. What differs between them is data.
pub(super) struct SessionRevision {
    pub(super) version: &'static str,
    pub(super) batches: bool,
    pub(super) version_header: bool,
    pub(super) priming: bool,
    pub(super) has: Has,
}

/// What a revision's schema has. Whatever is absent is left out, or said in another way.
pub(super) struct Has {
    /// `title` beside `name`.
    pub(super) titles: bool,
    /// `icons`; `description` and `websiteUrl` of an implementation.
    pub(super) icons: bool,
    /// `_meta` of things in a list and of content, not only of results and params.
    pub(super) item_meta: bool,
    pub(super) tool_annotations: bool,
    /// `outputSchema` and `structuredContent`.
    pub(super) structured_output: bool,
    /// `outputSchema` and `structuredContent` that are not of objects.
    pub(super) structured_values: bool,
    /// The server capability `completions`.
    pub(super) completions: bool,
    /// `context` of `completion/complete`.
    pub(super) completion_context: bool,
    /// `message` of a progress notification.
    pub(super) progress_message: bool,
    /// Members of the annotations of resources and content.
    pub(super) annotations: &'static [&'static str],
    pub(super) content: &'static [Content],
    pub(super) elicitation: Elicitation,
    /// `tools` and `toolChoice` of sampling, and content that is a list.
    pub(super) sampling_tools: bool,
    /// Calls that become tasks, in the revision itself.
    pub(super) core_tasks: bool,
}

/// Kinds of content block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Text,
    Image,
    Audio,
    Resource,
    ResourceLink,
}

/// How far a revision can ask the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elicitation {
    Absent,
    /// Forms of strings, numbers, booleans and single choices, with defaults for booleans only; no `mode`.
    PlainForms,
    /// Forms with multiple choices and defaults, and URLs.
    FormsAndUrls,
}

impl Revision for SessionRevision {
    fn version(&self) -> &'static str {
        self.version
    }

    fn request(
        &self,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<(ClientRequest, RequestMeta), RpcError> {
        requests::request(&self.has, method, params)
    }

    fn client_capabilities(&self, declared: &RawValue) -> ClientCapabilities {
        handshake::client_capabilities(&self.has, declared)
    }

    fn tools(&self, list: &ListToolsResponse) -> Bytes {
        lists::tools(&self.has, list)
    }

    fn resources(&self, list: &ListResourcesResponse) -> Bytes {
        lists::resources(&self.has, list)
    }

    fn resource_templates(&self, list: &ListResourceTemplatesResponse) -> Bytes {
        lists::resource_templates(&self.has, list)
    }

    fn prompts(&self, list: &ListPromptsResponse) -> Bytes {
        lists::prompts(&self.has, list)
    }

    fn completion(&self, completion: &CompleteResponse) -> Bytes {
        lists::completion(completion)
    }

    fn call_tool_result(&self, result: Bytes) -> Result<Bytes, RpcError> {
        results::call_tool(&self.has, result)
    }

    fn read_resource_result(&self, result: Bytes) -> Result<Bytes, RpcError> {
        results::read_resource(&self.has, result)
    }

    fn get_prompt_result(&self, result: Bytes) -> Result<Bytes, RpcError> {
        results::get_prompt(&self.has, result)
    }

    fn feature_error(&self, error: &Error) -> RpcError {
        errors::before_2026(error)
    }

    fn progress(&self, token: &RawValue, progress: &Progress) -> Bytes {
        notify::progress(&self.has, token, progress)
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

impl WithSessions for SessionRevision {
    fn accepts_batches(&self) -> bool {
        self.batches
    }

    fn requires_version_header(&self) -> bool {
        self.version_header
    }

    fn primes_streams(&self) -> bool {
        self.priming
    }

    fn notification(&self, method: &str, params: Option<&RawValue>) -> Result<ClientNotification, RpcError> {
        requests::notification(method, params)
    }

    fn initialize_result(&self, server: &DescribeResponse, knows_users: bool) -> Bytes {
        handshake::initialize_result(&self.has, self.version, server, knows_users)
    }

    fn core_tasks(&'static self) -> Option<&'static dyn CoreTasks> {
        core_tasks::of(self)
    }

    fn empty_result(&self) -> Bytes {
        Bytes::from_static(b"{}")
    }

    fn cancelled(&self, request_id: &str, reason: Option<&str>) -> Bytes {
        notify::cancelled(request_id, reason)
    }

    fn input_request(
        &self,
        id: &str,
        request: &InputRequest,
        declared: &ClientCapabilities,
    ) -> Result<Bytes, RpcError> {
        ask::request(&self.has, id, request, declared)
    }
}
