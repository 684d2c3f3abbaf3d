//! W3C trace context, as text that can ride on any carrier.

use std::collections::HashMap;

use opentelemetry::{Context, propagation::TextMapPropagator, trace::TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// `traceparent` and `tracestate` (W3C Trace Context). Empty strings: there is no trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceParent {
    pub traceparent: String,
    pub tracestate: String,
}

impl TraceParent {
    pub fn is_empty(&self) -> bool {
        self.traceparent.is_empty()
    }

    fn context(&self) -> Context {
        let carrier = HashMap::from([
            ("traceparent".to_owned(), self.traceparent.clone()),
            ("tracestate".to_owned(), self.tracestate.clone()),
        ]);
        TraceContextPropagator::new().extract(&carrier)
    }
}

/// The context of the current span, to send along.
pub fn current() -> TraceParent {
    of(&Span::current())
}

/// The context of `span`, to send along.
pub fn of(span: &Span) -> TraceParent {
    let context = span.context();
    if !context.span().span_context().is_valid() {
        return TraceParent::default();
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    TraceParent {
        traceparent: carrier.remove("traceparent").unwrap_or_default(),
        tracestate: carrier.remove("tracestate").unwrap_or_default(),
    }
}

/// Makes `span` a child of a remote span. Does nothing for an empty or malformed context.
pub fn set_parent(span: &Span, remote: &TraceParent) {
    if remote.is_empty() {
        return;
    }
    let context = remote.context();
    if context.span().span_context().is_valid() {
        // Fails only where no exporter is set up, and then there is nothing to connect.
        _ = span.set_parent(context);
    }
}

/// Links `span` to a remote span that caused it without being its parent.
pub fn link(span: &Span, remote: &TraceParent) {
    if remote.is_empty() {
        return;
    }
    let context = remote.context();
    let remote = context.span().span_context().clone();
    if remote.is_valid() {
        span.add_link(remote);
    }
}

/// Reads the context from HTTP headers.
pub fn from_headers(headers: &http::HeaderMap) -> TraceParent {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    TraceParent {
        traceparent: text("traceparent"),
        tracestate: text("tracestate"),
    }
}

/// Writes the context into HTTP headers (gRPC metadata travels as such).
pub fn to_headers(context: &TraceParent, headers: &mut http::HeaderMap) {
    if context.is_empty() {
        return;
    }
    if let Ok(value) = context.traceparent.parse() {
        headers.insert("traceparent", value);
    }
    if !context.tracestate.is_empty()
        && let Ok(value) = context.tracestate.parse()
    {
        headers.insert("tracestate", value);
    }
}
