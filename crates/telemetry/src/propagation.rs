//! W3C trace context, as text that can ride on any carrier.

use std::collections::HashMap;

use everything_proto::events::v1::TraceContext;
use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// `traceparent` and `tracestate` (W3C Trace Context). Empty strings: there is no trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceParent {
    pub traceparent: String,
    pub tracestate: String,
}

impl TraceParent {
    pub fn new(traceparent: impl Into<String>, tracestate: impl Into<String>) -> Self {
        Self {
            traceparent: traceparent.into(),
            tracestate: tracestate.into(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.traceparent.is_empty()
    }

    /// Whether it names a span. What is malformed does not.
    pub fn is_valid(&self) -> bool {
        !self.is_empty() && self.span_context().is_valid()
    }

    /// The trace's id, hexadecimal.
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent.split('-').nth(1)
    }

    fn context(&self) -> Context {
        let carrier = HashMap::from([
            (TRACEPARENT.to_owned(), self.traceparent.clone()),
            (TRACESTATE.to_owned(), self.tracestate.clone()),
        ]);
        TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier)
    }

    fn span_context(&self) -> SpanContext {
        self.context().span().span_context().clone()
    }
}

impl From<Option<TraceContext>> for TraceParent {
    fn from(context: Option<TraceContext>) -> Self {
        context.map_or_else(Self::default, |context| {
            Self::new(context.traceparent, context.tracestate)
        })
    }
}

impl From<TraceParent> for Option<TraceContext> {
    fn from(context: TraceParent) -> Self {
        (!context.is_empty()).then_some(TraceContext {
            traceparent: context.traceparent,
            tracestate: context.tracestate,
        })
    }
}

/// The context of the current span, to send along.
pub fn current() -> TraceParent {
    of(&Span::current())
}

/// The context of `span`, to send along.
pub fn of(span: &Span) -> TraceParent {
    if span.is_disabled() {
        return TraceParent::default();
    }
    let context = span.context();
    if !context.span().span_context().is_valid() {
        return TraceParent::default();
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    TraceParent {
        traceparent: carrier.remove(TRACEPARENT).unwrap_or_default(),
        tracestate: carrier.remove(TRACESTATE).unwrap_or_default(),
    }
}

/// Makes `span`, which nothing has entered yet, a child of a remote span. Does nothing for an empty or malformed context.
pub fn set_parent(span: &Span, remote: &TraceParent) {
    if remote.is_empty() || span.is_disabled() {
        return;
    }
    let context = remote.context();
    if context.span().span_context().is_valid() {
        // Fails only where no exporter is set up, and then there is nothing to connect.
        _ = span.set_parent(context);
    }
}

/// Makes `span`, which nothing has entered yet, a child of another span of this process, and yet lets that one end first:
/// `tracing` itself keeps a parent open until its last child has ended.
pub fn set_local_parent(span: &Span, parent: &Span) {
    if !span.is_disabled() && !parent.is_disabled() {
        _ = span.set_parent(parent.context());
    }
}

/// Links `span` to a remote span that caused it without being its parent.
pub fn link(span: &Span, remote: &TraceParent) {
    if remote.is_empty() || span.is_disabled() {
        return;
    }
    // An invalid one is not added.
    span.add_link(remote.span_context());
}

/// Links `span` to another span of this process.
pub fn link_local(span: &Span, other: &Span) {
    if !span.is_disabled() && !other.is_disabled() {
        span.add_link(other.context().span().span_context().clone());
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
        traceparent: text(TRACEPARENT),
        tracestate: text(TRACESTATE),
    }
}

/// Writes the context into HTTP headers (gRPC metadata travels as such).
pub fn to_headers(context: &TraceParent, headers: &mut http::HeaderMap) {
    if context.is_empty() {
        return;
    }
    if let Ok(value) = context.traceparent.parse() {
        headers.insert(TRACEPARENT, value);
    }
    if !context.tracestate.is_empty()
        && let Ok(value) = context.tracestate.parse()
    {
        headers.insert(TRACESTATE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_malformed_context_is_none() {
        assert!(TraceParent::new(GOOD, "").is_valid());
        assert!(TraceParent::new(GOOD, "not a state,,=").is_valid());
        for malformed in [
            "",
            "nonsense",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
        ] {
            assert!(!TraceParent::new(malformed, "").is_valid(), "{malformed}");
        }
    }
}
