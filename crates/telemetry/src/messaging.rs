//! Spans of messages between processes: a PRODUCER where one is published, a CONSUMER where it is taken.
//!
//! The conventions let a consumer choose. Here it continues the sender's trace, so that one request stays one trace, and
//! links to the sender's span as well.

use tracing::Span;

use crate::{
    conventions::messaging::{
        MESSAGING_DESTINATION_TEMPLATE, MESSAGING_MESSAGE_ID, MESSAGING_OPERATION_NAME,
        MESSAGING_OPERATION_TYPE, MESSAGING_SYSTEM, PROCESS, PUBLISH, REDIS, SEND,
    },
    propagation::{self, TraceParent},
    spans,
};

/// Channels and streams, as their spans name them.
pub const CHANGES: &str = "mcp:changes";
pub const TO_SERVER: &str = "mcp:shttp:toserver:{session}";
pub const TO_CLIENT: &str = "mcp:shttp:toclient:{session}:{stream}";
pub const CONTROL: &str = "mcp:control:{session}";

/// A message is published to a channel: a child of the current span. Its context goes along with the message.
pub fn publish(channel_template: &'static str) -> Span {
    let span = tracing::info_span!(
        "messaging.publish",
        otel.name = format!("{PUBLISH} {channel_template}"),
        otel.kind = "producer",
    );
    describe(&span, channel_template, PUBLISH, SEND);
    span
}

/// A message of a channel is worked on. `sender` came along with it; without one there is nothing to tell.
pub fn process(channel_template: &'static str, sender: &TraceParent) -> Span {
    if !sender.is_valid() {
        return Span::none();
    }
    let span = tracing::info_span!(
        parent: None,
        "messaging.process",
        otel.name = format!("{PROCESS} {channel_template}"),
        otel.kind = "consumer",
    );
    propagation::set_parent(&span, sender);
    propagation::link(&span, sender);
    describe(&span, channel_template, PROCESS, PROCESS);
    span
}

/// Names the message of such a span.
pub fn set_message_id(span: &Span, id: &str) {
    spans::set_text(span, MESSAGING_MESSAGE_ID, id);
}

fn describe(span: &Span, channel_template: &'static str, operation: &'static str, kind: &'static str) {
    spans::set(span, MESSAGING_SYSTEM, REDIS);
    spans::set(span, MESSAGING_DESTINATION_TEMPLATE, channel_template);
    spans::set(span, MESSAGING_OPERATION_NAME, operation);
    spans::set(span, MESSAGING_OPERATION_TYPE, kind);
}
