//! Tasks in the words of 2025-11-25, where they are an experimental part of the revision itself.

use bytes::Bytes;
use everything_proto::{
    feature::v1::{ClientCapabilities, InputRequest},
    session::v1::{Task, TaskStatus},
};
use serde_json::value::RawValue;

use super::{
    Revision, ask,
    json::{Object, ObjectWriter, array_of},
    meta::{parse, with_meta},
    session_wire::SessionRevision,
    task_words,
    with_tasks::{CoreTasks, WithTasks},
};
use crate::jsonrpc::{self, RpcError};

/// Says in `_meta` which task a message concerns.
const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";

impl WithTasks for SessionRevision {
    fn can_ask(&self, requests: &[InputRequest], declared: &ClientCapabilities) -> Result<(), RpcError> {
        for request in requests {
            ask::question(&self.has, Some(""), request, declared)?;
        }
        Ok(())
    }

    /// "when the tool result has `isError` set to `true`, the task should reach `failed` status" ("Task Execution Errors").
    fn is_failure(&self, result: &[u8]) -> bool {
        let result = std::str::from_utf8(result).unwrap_or_default();
        let result = Object::pick(result, &["isError"]).unwrap_or_default();
        result
            .get("isError")
            .is_some_and(|is_error| is_error.get() == "true")
    }
}

impl CoreTasks for SessionRevision {
    fn task_created(&self, task: &Task) -> Bytes {
        let mut result = ObjectWriter::new();
        result.raw("task", members(task).finish());
        with_meta(&result.finish(), &[], &[(RELATED_TASK, &related(&task.task_id))]).into()
    }

    fn task(&self, task: &Task) -> Bytes {
        members(task).finish().into()
    }

    fn status_word(&self, task: &Task) -> &'static str {
        task_words::status(task.status())
    }

    fn tasks(&self, tasks: &[Task], next_cursor: Option<&str>) -> Bytes {
        let mut result = ObjectWriter::new();
        result.raw("tasks", array_of(tasks.iter().map(|task| members(task).finish())));
        result.value_if("nextCursor", next_cursor.as_ref());
        result.finish().into()
    }

    fn task_result(&self, task: &Task) -> Result<Bytes, RpcError> {
        let related = related(&task.task_id);
        let with_task = |result: Bytes| with_meta(&result, &[], &[(RELATED_TASK, &related)]).into();
        match (task.status(), &task.error) {
            (TaskStatus::Completed, _) | (TaskStatus::Failed, None) => {
                self.call_tool_result(task.result_json.clone()).map(with_task)
            }
            (TaskStatus::Failed, Some(error)) => Err(self.feature_error(error)),
            (TaskStatus::Cancelled, _) => Err(RpcError::invalid_params(
                "the task was cancelled, so it has no result",
            )),
            (TaskStatus::Working | TaskStatus::InputRequired | TaskStatus::Unspecified, _) => {
                Err(RpcError::internal("the task has not ended"))
            }
        }
    }

    fn task_status(&self, task: &Task) -> Bytes {
        jsonrpc::notification("notifications/tasks/status", Some(&members(task).finish()))
    }

    fn about_task(&self, message: &[u8], task_id: &str) -> Bytes {
        let Some(object) = parse(message) else {
            return Bytes::copy_from_slice(message);
        };
        let params = object.get("params").map_or("{}", RawValue::get);
        let mut out = ObjectWriter::new();
        out.copy(&object, &["jsonrpc", "id", "method"]);
        let related = related(task_id);
        out.raw(
            "params",
            with_meta(params.as_bytes(), &[], &[(RELATED_TASK, &related)]),
        );
        out.finish().into()
    }
}

/// The core tasks of a revision, where it has them.
pub(super) fn of(revision: &'static SessionRevision) -> Option<&'static dyn CoreTasks> {
    revision.has.core_tasks.then_some(revision as &dyn CoreTasks)
}

/// `Task`.
fn members(task: &Task) -> ObjectWriter {
    let mut out = task_words::common(task);
    out.value("ttl", &task.ttl_ms);
    out.value("pollInterval", &task.poll_interval_ms);
    out
}

fn related(task_id: &str) -> Vec<u8> {
    let mut out = ObjectWriter::new();
    out.value("taskId", &task_id);
    out.finish()
}
