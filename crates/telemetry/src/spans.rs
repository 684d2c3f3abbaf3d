//! What `tracing` alone cannot say of a span: attributes by the names of the conventions, and how it ended.
//!
//! These go to the exporter only. Logs would repeat them on every line.

use opentelemetry::{
    Value,
    trace::{Status, TraceContextExt, Tracer},
};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::registry::LookupSpan;

use crate::{
    conventions::general::ERROR_TYPE,
    propagation::{self, TraceParent},
};

/// Longest text of an attribute, characters.
const MAX_TEXT: usize = 256;

/// Work that goes on after whatever led to it has ended: a trace of its own that links to its causes. None where none of
/// them was traced.
pub fn caused_by(name: String, causes: &[TraceParent]) -> Span {
    if !causes.iter().any(TraceParent::is_valid) {
        return Span::none();
    }
    let span = tracing::info_span!(parent: None, "caused", otel.name = name);
    for (index, cause) in causes.iter().enumerate() {
        if !causes[..index].contains(cause) {
            propagation::link(&span, cause);
        }
    }
    span
}

/// Whether spans like this one leave the process. Starts the span: its parent is settled by then.
pub fn is_exported(span: &Span) -> bool {
    !span.is_disabled() && span.context().span().span_context().is_valid()
}

/// Work that another process asked for in a message that is no RPC; none where it sent no context.
pub fn part_of(name: &'static str, sender: &TraceParent) -> Span {
    if !sender.is_valid() {
        return Span::none();
    }
    let span = tracing::info_span!(parent: None, "part", otel.name = name);
    propagation::set_parent(&span, sender);
    span
}

/// Sets an attribute. Does nothing where no spans are exported.
pub fn set(span: &Span, name: &'static str, value: impl Into<Value>) {
    if !span.is_disabled() {
        span.set_attribute(name, value);
    }
}

/// Sets an attribute to what somebody else wrote, which may be of any length.
pub fn set_text(span: &Span, name: &'static str, text: &str) {
    if !span.is_disabled() {
        span.set_attribute(name, bounded(text));
    }
}

/// The operation failed. `error_type` is a code or a word, `description` may be empty, for people, and without secrets.
pub fn fail(span: &Span, error_type: &str, description: &str) {
    if !span.is_disabled() {
        span.set_attribute(ERROR_TYPE, error_type.to_owned());
        span.set_status(Status::error(bounded(description)));
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// Turns spans of `tracing` into those of OpenTelemetry.
pub(crate) fn layer<S, T>(tracer: T) -> OpenTelemetryLayer<S, T>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    T: Tracer + 'static,
    T::Span: Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        // Where in the source a span begins, in which thread, and how long it was idle there concerns nobody.
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        // Whoever opens a span says how it ended; a log line within it does not.
        .with_error_events_to_status(false)
        .with_error_events_to_exceptions(false)
        .with_error_fields_to_exceptions(false)
        .with_error_records_to_exceptions(false)
}
