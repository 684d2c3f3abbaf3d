use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1::{self as proto, ResourceSpans},
};

pub use proto::{span::SpanKind as Kind, status::StatusCode};

/// A span as it was exported, with everything as text.
#[derive(Clone, Debug)]
pub struct Span {
    /// `service.name` of the process.
    pub service: String,
    /// `service.instance.id` of the process.
    pub instance: String,
    /// Hexadecimal, as in a `traceparent`.
    pub trace_id: String,
    pub span_id: String,
    /// Empty: a root.
    pub parent_id: String,
    pub name: String,
    pub kind: Kind,
    pub status: StatusCode,
    pub status_message: String,
    pub attributes: BTreeMap<String, String>,
    pub links: Vec<Link>,
    /// Names of its events, with their attributes.
    pub events: Vec<(String, BTreeMap<String, String>)>,
    /// Unix time, nanoseconds.
    pub start_ns: u64,
    pub end_ns: u64,
}

/// Names another span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub trace_id: String,
    pub span_id: String,
}

impl Span {
    pub(super) fn all_of(of_resource: ResourceSpans) -> Vec<Self> {
        let resource = texts(
            of_resource
                .resource
                .map(|resource| resource.attributes)
                .unwrap_or_default(),
        );
        let named = |name: &str| resource.get(name).cloned().unwrap_or_default();
        let (service, instance) = (named("service.name"), named("service.instance.id"));
        of_resource
            .scope_spans
            .into_iter()
            .flat_map(|scope| scope.spans)
            .map(|span| Self {
                service: service.clone(),
                instance: instance.clone(),
                kind: span.kind(),
                trace_id: hex(&span.trace_id),
                span_id: hex(&span.span_id),
                parent_id: hex(&span.parent_span_id),
                status: span
                    .status
                    .as_ref()
                    .map_or(StatusCode::Unset, proto::Status::code),
                status_message: span.status.map(|status| status.message).unwrap_or_default(),
                name: span.name,
                attributes: texts(span.attributes),
                links: span
                    .links
                    .iter()
                    .map(|link| Link {
                        trace_id: hex(&link.trace_id),
                        span_id: hex(&link.span_id),
                    })
                    .collect(),
                events: span
                    .events
                    .into_iter()
                    .map(|event| (event.name, texts(event.attributes)))
                    .collect(),
                start_ns: span.start_time_unix_nano,
                end_ns: span.end_time_unix_nano,
            })
            .collect()
    }

    /// An attribute; empty if there is none.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// What a child of this span would be sent.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace_id, self.span_id)
    }

    pub fn is_child_of(&self, parent: &Self) -> bool {
        self.trace_id == parent.trace_id && self.parent_id == parent.span_id
    }

    pub fn is_linked_to(&self, other: &Self) -> bool {
        let same = |link: &Link| link.trace_id == other.trace_id && link.span_id == other.span_id;
        self.links.iter().any(same)
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes
        .into_iter()
        .map(|attribute| (attribute.key, text(attribute.value)))
        .collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        None => String::new(),
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::BoolValue(truth)) => truth.to_string(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        Some(any_value::Value::DoubleValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
