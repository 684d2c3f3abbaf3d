//! Tasks in the words of the extension `io.modelcontextprotocol/tasks`.

use bytes::Bytes;
use everything_proto::session::v1::{Task, TaskStatus};

use super::{
    HAS, SERVER_INFO,
    results::{complete, questions, typed},
};
use crate::{
    jsonrpc::{self, RpcError},
    revisions::{errors, json::ObjectWriter, results as worded, task_words},
};

/// The result of a call that became a task.
pub(super) fn created(task: &Task, server_info: &[u8]) -> Bytes {
    typed(&members(task).finish(), "task", &[(SERVER_INFO, server_info)])
}

/// The result of `tasks/get`.
pub(super) fn got(task: &Task, server_info: &[u8]) -> Result<Bytes, RpcError> {
    Ok(complete(&detailed(task, server_info)?, None, server_info))
}

/// `notifications/tasks`.
pub(super) fn changed(task: &Task, server_info: &[u8]) -> Result<Bytes, RpcError> {
    let params = detailed(task, server_info)?;
    Ok(jsonrpc::notification("notifications/tasks", Some(&params)))
}

/// `DetailedTask`.
fn detailed(task: &Task, server_info: &[u8]) -> Result<Vec<u8>, RpcError> {
    let mut out = members(task);
    match task.status() {
        TaskStatus::InputRequired => {
            let declared = task.client_capabilities.clone().unwrap_or_default();
            out.raw("inputRequests", questions(&task.input_requests, &declared)?);
        }
        TaskStatus::Completed => {
            // What the call would have been answered.
            let result = worded::call_tool(HAS, task.result_json.clone())?;
            out.raw("result", complete(&result, None, server_info));
        }
        TaskStatus::Failed => {
            out.value("error", &errors::of_2026(&task.error.clone().unwrap_or_default()));
        }
        TaskStatus::Unspecified | TaskStatus::Working | TaskStatus::Cancelled => {}
    }
    Ok(out.finish())
}

/// What every mention of a task has.
fn members(task: &Task) -> ObjectWriter {
    let mut out = task_words::common(task);
    out.value("ttlMs", &task.ttl_ms);
    out.value("pollIntervalMs", &task.poll_interval_ms);
    out
}
