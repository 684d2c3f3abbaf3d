//! The revisions that have tasks: calls that outlive the request that made them.

use bytes::Bytes;
use everything_proto::{
    feature::v1::{ClientCapabilities, InputRequest},
    session::v1::Task,
};

use super::Revision;
use crate::jsonrpc::RpcError;

/// What it takes to run a task, whichever revision its call was made in.
pub trait WithTasks: Revision {
    /// Whether the client can be asked all this. Fails as asking it would.
    fn can_ask(&self, requests: &[InputRequest], declared: &ClientCapabilities) -> Result<(), RpcError>;

    /// Whether this tool result makes its task one that failed.
    fn is_failure(&self, result: &[u8]) -> bool;
}

/// The experimental tasks of 2025-11-25 ("Tasks"), which later became an extension.
pub trait CoreTasks: WithTasks {
    /// The result of a call that became a task (`CreateTaskResult`).
    fn task_created(&self, task: &Task) -> Bytes;

    /// The result of `tasks/get` and `tasks/cancel`.
    fn task(&self, task: &Task) -> Bytes;

    /// How the revision calls the status of a task.
    fn status_word(&self, task: &Task) -> &'static str;

    /// The result of `tasks/list`.
    fn tasks(&self, tasks: &[Task], next_cursor: Option<&str>) -> Bytes;

    /// What the call of a task that has ended is answered with: a result, or the call's own error.
    fn task_result(&self, task: &Task) -> Result<Bytes, RpcError>;

    /// A whole `notifications/tasks/status`.
    fn task_status(&self, task: &Task) -> Bytes;

    /// A whole request or notification that concerns a task, saying so.
    fn about_task(&self, message: &[u8], task_id: &str) -> Bytes;
}
