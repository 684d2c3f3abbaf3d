//! Protocol revisions: the only place that knows that there is more than one.
//!
//! Features speak one shape, the newest. An adapter reads a client's requests of its revision into neutral types, and
//! writes what features answer with nothing of a later revision in it. The rest of the edge asks the adapter and never
//! looks at a version.
//!
//! One file per revision says what that revision has. What revisions share is written once, in the other files.

mod ask;
mod content;
mod core_tasks;
mod elicitation;
mod errors;
mod handshake;
mod json;
mod lists;
mod meta;
pub mod mirrored_headers;
mod notify;
mod params;
mod requests;
mod results;
mod sampling;
mod session_wire;
mod stateless;
mod task_words;
mod v2024_11_05;
mod v2025_03_26;
mod v2025_06_18;
mod v2025_11_25;
mod v2026_07_28;
mod with_tasks;

use std::collections::HashMap;

use bytes::Bytes;
use everything_proto::{
    events::v1::Change,
    feature::v1::{
        ClientCapabilities, CompleteResponse, DescribeResponse, Error, InputRequest, ListPromptsResponse,
        ListResourceTemplatesResponse, ListResourcesResponse, ListToolsResponse, Log, LogLevel, Progress,
    },
};
use serde_json::value::RawValue;

pub use self::{
    notify::change_method,
    stateless::{Envelope, Filter, Stateless},
    with_tasks::{CoreTasks, WithTasks},
};
use crate::jsonrpc::{RequestId, RpcError};

/// A request of the client, of whichever revision.
#[derive(Clone)]
pub enum ClientRequest {
    Initialize(Initialize),
    Ping,
    ListTools {
        cursor: Option<String>,
    },
    ListResources {
        cursor: Option<String>,
    },
    ListResourceTemplates {
        cursor: Option<String>,
    },
    ListPrompts {
        cursor: Option<String>,
    },
    /// `arguments` is a JSON object.
    CallTool {
        name: String,
        arguments: Option<Box<RawValue>>,
        /// 2025-11-25: the call is to become a task.
        task: Option<TaskWish>,
    },
    ReadResource {
        uri: String,
    },
    GetPrompt {
        name: String,
        arguments: HashMap<String, String>,
    },
    Complete(Complete),
    Subscribe {
        uri: String,
    },
    Unsubscribe {
        uri: String,
    },
    SetLogLevel {
        level: LogLevel,
    },
    /// 2026-07-28.
    Discover,
    /// 2026-07-28.
    Listen(Filter),
    /// `io.modelcontextprotocol/tasks`, and 2025-11-25.
    GetTask {
        task_id: String,
    },
    /// `io.modelcontextprotocol/tasks`. The answers are in the envelope.
    UpdateTask {
        task_id: String,
    },
    /// `io.modelcontextprotocol/tasks`, and 2025-11-25.
    CancelTask {
        task_id: String,
    },
    /// 2025-11-25.
    ListTasks {
        cursor: Option<String>,
    },
    /// 2025-11-25: what the call of the task is answered with, once it is.
    TaskResult {
        task_id: String,
    },
}

/// What a client says of the task that its call is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskWish {
    /// How long it should be kept, milliseconds from its creation.
    pub ttl_ms: Option<u64>,
}

/// Params of `initialize`.
#[derive(Clone)]
pub struct Initialize {
    /// What the client asks for; see [`negotiate`].
    pub protocol_version: String,
    /// A JSON object; see [`Revision::client_capabilities`].
    pub capabilities: Box<RawValue>,
    /// A JSON object with the strings `name` and `version`.
    pub client_info: Box<RawValue>,
}

/// Params of `completion/complete`.
#[derive(Clone)]
pub struct Complete {
    pub reference: Reference,
    /// The argument or template variable being typed.
    pub argument: String,
    /// What was typed so far.
    pub value: String,
    /// Arguments that already have a value; empty where the revision cannot say.
    pub resolved_arguments: HashMap<String, String>,
}

/// What is being completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// Name of a prompt.
    Prompt(String),
    /// URI template of a resource.
    ResourceTemplate(String),
}

/// What a request's `_meta` tells the edge.
#[derive(Default)]
pub struct RequestMeta {
    /// A JSON string or integer. Present: the client wants progress.
    pub progress_token: Option<Box<RawValue>>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    pub tracestate: Option<String>,
}

/// A notification of the client.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientNotification {
    Initialized,
    Cancelled {
        request_id: RequestId,
        reason: Option<String>,
    },
    /// Progress of a request that the server made.
    Progress,
    RootsListChanged,
    /// Nothing this revision knows. JSON-RPC forbids to answer, so it is passed over.
    Unknown,
}

/// What one protocol revision does differently.
///
/// Bytes that are returned are JSON on their own: the `result` member of a response, or a whole message where it says so.
pub trait Revision: Send + Sync + 'static {
    /// As in `protocolVersion` and the `MCP-Protocol-Version` header.
    fn version(&self) -> &'static str;

    /// Reads a request. An unknown method is -32601; a parameter that is missing or of the wrong type is -32602 and named.
    fn request(
        &self,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<(ClientRequest, RequestMeta), RpcError>;

    /// What the client may be asked, from the `capabilities` that it declared.
    fn client_capabilities(&self, declared: &RawValue) -> ClientCapabilities;

    fn tools(&self, list: &ListToolsResponse) -> Bytes;
    fn resources(&self, list: &ListResourcesResponse) -> Bytes;
    fn resource_templates(&self, list: &ListResourceTemplatesResponse) -> Bytes;
    fn prompts(&self, list: &ListPromptsResponse) -> Bytes;
    fn completion(&self, completion: &CompleteResponse) -> Bytes;

    /// The result of `tools/call`, from the feature's `result_json`. Fails where that is not a tool result.
    fn call_tool_result(&self, result: Bytes) -> Result<Bytes, RpcError>;
    /// The result of `resources/read`.
    fn read_resource_result(&self, result: Bytes) -> Result<Bytes, RpcError>;
    /// The result of `prompts/get`.
    fn get_prompt_result(&self, result: Bytes) -> Result<Bytes, RpcError>;

    /// A feature's error under the code that this revision has for it.
    fn feature_error(&self, error: &Error) -> RpcError;

    /// A whole `notifications/progress`. `token` is [`RequestMeta::progress_token`].
    fn progress(&self, token: &RawValue, progress: &Progress) -> Bytes;
    /// A whole `notifications/message`.
    fn log(&self, log: &Log) -> Bytes;
    /// A whole `notifications/resources/updated`.
    fn resource_updated(&self, uri: &str) -> Bytes;
    /// The whole notification of a change that concerns every client alike. `None` for `ResourcesUpdated`, which goes by
    /// URI to those who subscribed: see [`Revision::resource_updated`].
    fn change(&self, change: &Change) -> Option<Bytes>;

    /// The client's result of a question in the newest shape, for `CallContext.inputs_json`. Fails where it is not an
    /// answer to what was asked; the sentence names the member at fault.
    fn input_response(&self, request: &InputRequest, result: &RawValue) -> Result<Bytes, RpcError>;
}

/// A revision with the `initialize` handshake: 2024-11-05 to 2025-11-25.
pub trait WithSessions: Revision {
    /// Whether a POST may hold a JSON-RPC batch. Only 2025-03-26 has them; elsewhere a batch is an invalid request.
    fn accepts_batches(&self) -> bool;

    /// Whether clients say `MCP-Protocol-Version` on every request after `initialize` (2025-06-18 and later).
    ///
    /// Absent: the session's own revision counts, as the specification allows where the version can be told otherwise
    /// ("Protocol Version Header"). A version other than the session's, or an unknown one: 400. Where this is false the
    /// header means nothing and is passed over.
    fn requires_version_header(&self) -> bool;

    /// Whether a stream begins with an event that has an id and empty data (SEP-1699, 2025-11-25). Older clients would
    /// take empty data for a message and fail to parse it.
    fn primes_streams(&self) -> bool;

    /// Reads a notification. An error is for the log only: notifications are not answered.
    fn notification(&self, method: &str, params: Option<&RawValue>) -> Result<ClientNotification, RpcError>;

    /// The result of `initialize`. `knows_users`: whether clients have to say on whose behalf they come.
    fn initialize_result(&self, server: &DescribeResponse, knows_users: bool) -> Bytes;

    /// The tasks of the revision itself, where it has them.
    fn core_tasks(&'static self) -> Option<&'static dyn CoreTasks>;

    /// The result of requests that have nothing to say.
    fn empty_result(&self) -> Bytes;

    /// A whole `notifications/cancelled` for a request that the server made.
    fn cancelled(&self, request_id: &str, reason: Option<&str>) -> Bytes;

    /// The whole JSON-RPC request that puts a feature's question to the client, under the id `id`.
    ///
    /// Fails where the client did not declare the capability, or this revision cannot say what is asked.
    fn input_request(
        &self,
        id: &str,
        request: &InputRequest,
        declared: &ClientCapabilities,
    ) -> Result<Bytes, RpcError>;
}

/// The revisions with sessions, oldest first.
static WITH_SESSIONS: [&dyn WithSessions; 4] = [
    &v2024_11_05::REVISION,
    &v2025_03_26::REVISION,
    &v2025_06_18::REVISION,
    &v2025_11_25::REVISION,
];

/// Every revision served, oldest first.
pub fn all() -> &'static [&'static dyn WithSessions] {
    &WITH_SESSIONS
}

/// The revision of that exact name.
pub fn by_version(version: &str) -> Option<&'static dyn WithSessions> {
    all()
        .iter()
        .copied()
        .find(|revision| revision.version() == version)
}

/// The revision that answers `initialize`: the requested one where it is served, else the newest with sessions
/// ("Version Negotiation"). 2024-11-05 is served on both HTTP transports.
pub fn negotiate(requested: &str) -> &'static dyn WithSessions {
    WITH_SESSIONS
        .iter()
        .copied()
        .find(|revision| revision.version() == requested)
        .unwrap_or_else(newest_with_sessions)
}

/// The newest revision that has sessions. Reads an `initialize` before its revision is known.
pub fn newest_with_sessions() -> &'static dyn WithSessions {
    &v2025_11_25::REVISION
}

/// The oldest revision. Words what a client is sent before it has negotiated.
pub fn oldest() -> &'static dyn WithSessions {
    &v2024_11_05::REVISION
}

/// The newest revision without sessions. Tells what a request says of itself before its version is known.
pub fn newest_stateless() -> &'static dyn Stateless {
    &v2026_07_28::REVISION
}

/// The revision without sessions of that exact name.
pub fn stateless_by_version(version: &str) -> Option<&'static dyn Stateless> {
    Some(newest_stateless()).filter(|revision| revision.version() == version)
}

/// The revision of that exact name, where it has tasks.
pub fn with_tasks(version: &str) -> Option<&'static dyn WithTasks> {
    if v2026_07_28::REVISION.version() == version {
        return Some(&v2026_07_28::REVISION);
    }
    let core = by_version(version)?.core_tasks()?;
    Some(core)
}

/// The names of all revisions served, newest first, with and without sessions.
pub fn all_versions() -> Vec<&'static str> {
    let with_sessions = all().iter().rev().map(|revision| revision.version());
    [newest_stateless().version()]
        .into_iter()
        .chain(with_sessions)
        .collect()
}
