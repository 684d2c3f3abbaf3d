//! The revisions without sessions (2026-07-28): every request says for itself which revision it speaks, who the client is
//! and what it can do.

use std::collections::HashMap;

use bytes::Bytes;
use everything_proto::feature::v1::{
    CacheHint, ClientCapabilities, DescribeResponse, InputRequest, LogLevel,
};
use everything_proto::session::v1::Task;
use serde_json::value::RawValue;

use super::WithTasks;
use crate::jsonrpc::{RequestId, RpcError};

/// What a request says of itself in `params._meta`, and what answers the round before it.
pub struct Envelope {
    pub capabilities: ClientCapabilities,
    /// The client wants log messages of this call from this severity on. Unspecified: none.
    pub log_level: LogLevel,
    /// The client's results by [`InputRequest::key`].
    pub input_responses: HashMap<String, Box<RawValue>>,
    /// As it was handed out, sealed.
    pub request_state: Option<String>,
}

/// Which changes a client listens to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub tools_list_changed: bool,
    pub prompts_list_changed: bool,
    pub resources_list_changed: bool,
    pub resource_subscriptions: Vec<String>,
    /// `io.modelcontextprotocol/tasks`.
    pub task_ids: Vec<String>,
}

/// A revision without sessions.
pub trait Stateless: WithTasks {
    /// The version that a request's `_meta` names; `None` where it names none.
    fn named_version(&self, params: Option<&RawValue>) -> Option<String>;

    /// Reads what a request says of itself. -32602 where something required is missing.
    fn envelope(&self, params: Option<&RawValue>) -> Result<Envelope, RpcError>;

    /// The result of `server/discover`.
    fn discover_result(&self, server: &DescribeResponse, versions: &[&str]) -> Bytes;

    /// A result with what every result of this revision has: its type, who answered, and how long it may be cached.
    fn complete(&self, result: &[u8], cache: Option<&CacheHint>, server_info: &[u8]) -> Bytes;

    /// A result that says its own type, with who answered.
    fn signed(&self, result: &[u8], server_info: &[u8]) -> Bytes;

    /// The `Implementation` object of the server.
    fn server_info(&self, server: &DescribeResponse) -> Bytes;

    /// The result that asks the client for input. Fails with -32021 where it did not declare what is needed.
    fn input_required(
        &self,
        requests: &[InputRequest],
        request_state: &str,
        declared: &ClientCapabilities,
    ) -> Result<Bytes, RpcError>;

    /// The result of a call that became a task.
    fn task_created(&self, task: &Task, server_info: &[u8]) -> Bytes;

    /// The result of `tasks/get`.
    fn task(&self, task: &Task, server_info: &[u8]) -> Result<Bytes, RpcError>;

    /// The whole notification of what a task is now.
    fn task_changed(&self, task: &Task, server_info: &[u8]) -> Result<Bytes, RpcError>;

    /// The whole notification that opens a subscription stream.
    fn acknowledged(&self, subscription: &RequestId, honoured: &Filter) -> Bytes;

    /// A notification as it goes onto a subscription stream.
    fn on_subscription(&self, notification: &[u8], subscription: &RequestId) -> Bytes;

    /// The result with which the server ends a subscription stream.
    fn subscription_ended(&self, subscription: &RequestId, server_info: &[u8]) -> Bytes;
}
