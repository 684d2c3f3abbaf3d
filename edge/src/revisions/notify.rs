//! Notifications to the client, whole.

use bytes::Bytes;
use everything_proto::{
    events::v1::{Change, change, list_changed::List},
    feature::v1::{LogLevel, Progress},
};
use serde_json::value::RawValue;

use super::{
    json::{ObjectWriter, open},
    session_wire::Has,
};
use crate::jsonrpc;

/// Levels by their names on the wire (RFC 5424).
pub(super) const LEVELS: [(LogLevel, &str); 8] = [
    (LogLevel::Debug, "debug"),
    (LogLevel::Info, "info"),
    (LogLevel::Notice, "notice"),
    (LogLevel::Warning, "warning"),
    (LogLevel::Error, "error"),
    (LogLevel::Critical, "critical"),
    (LogLevel::Alert, "alert"),
    (LogLevel::Emergency, "emergency"),
];

pub(super) fn progress(has: &Has, token: &RawValue, progress: &Progress) -> Bytes {
    let mut params = ObjectWriter::new();
    params.raw("progressToken", token.get());
    // Required; what JSON cannot say is no progress.
    params.number(
        "progress",
        if progress.progress.is_finite() {
            progress.progress
        } else {
            0.0
        },
    );
    if let Some(total) = progress.total {
        params.number("total", total);
    }
    if has.progress_message {
        params.text_if("message", &progress.message);
    }
    notification("notifications/progress", params)
}

pub(super) fn message(level: i32, logger: &str, data_json: &[u8]) -> Bytes {
    let level = LEVELS
        .iter()
        .find(|(known, _)| *known as i32 == level)
        .map_or("info", |(_, name)| name);
    let mut params = ObjectWriter::new();
    params.value("level", &level);
    params.text_if("logger", logger);
    params.raw("data", open(data_json).map_or("null", RawValue::get));
    notification("notifications/message", params)
}

pub(super) fn resource_updated(uri: &str) -> Bytes {
    let mut params = ObjectWriter::new();
    params.value("uri", &uri);
    notification("notifications/resources/updated", params)
}

/// What clients are told of a change by.
pub fn change_method(change: &Change) -> Option<&'static str> {
    Some(match change.change.as_ref()? {
        change::Change::ResourcesUpdated(_) => "notifications/resources/updated",
        change::Change::ListChanged(changed) => match changed.list() {
            List::Unspecified => return None,
            List::Tools => "notifications/tools/list_changed",
            List::Resources => "notifications/resources/list_changed",
            List::Prompts => "notifications/prompts/list_changed",
        },
        change::Change::Log(_) => "notifications/message",
        change::Change::Stderr(_) => "notifications/stderr",
    })
}

pub(super) fn change(change: &Change) -> Option<Bytes> {
    match change.change.as_ref()? {
        change::Change::ResourcesUpdated(_) => None,
        change::Change::ListChanged(_) => Some(jsonrpc::notification(change_method(change)?, None)),
        change::Change::Log(log) => Some(message(log.level, &log.logger, &log.data_json)),
        // No schema has this one: it is the everything server's own.
        change::Change::Stderr(stderr) => {
            let mut params = ObjectWriter::new();
            params.value("content", &stderr.content);
            Some(notification("notifications/stderr", params))
        }
    }
}

pub(super) fn cancelled(request_id: &str, reason: Option<&str>) -> Bytes {
    let mut params = ObjectWriter::new();
    params.value("requestId", &request_id);
    params.value_if("reason", reason.as_ref());
    notification("notifications/cancelled", params)
}

fn notification(method: &str, params: ObjectWriter) -> Bytes {
    jsonrpc::notification(method, Some(&params.finish()))
}
