//! One JSON object a line: the event's own fields, and the trace, span, session and user that it belongs to.

use std::{fmt, io::Write};

use opentelemetry::trace::TraceContextExt;
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, fmt::MakeWriter, layer::Context, registry::LookupSpan};

/// Fields of spans that their events repeat; the others are found in the trace.
const INHERITED: [&str; 4] = ["session", "user", "request_id", "mcp.method.name"];

pub struct JsonLogs<W> {
    writer: W,
}

/// What a span hands on to its events.
struct Inherited(Map<String, Value>);

/// Collects fields, or only those that are inherited.
struct Fields<'a> {
    into: &'a mut Map<String, Value>,
    only_inherited: bool,
}

impl<W> JsonLogs<W> {
    pub fn new(writer: W) -> Self {
        Self { writer }
    }
}

impl<S, W> Layer<S> for JsonLogs<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Map::new();
        attributes.record(&mut Fields::inherited(&mut fields));
        span.extensions_mut().insert(Inherited(fields));
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(Inherited(fields)) = span.extensions_mut().get_mut() {
            values.record(&mut Fields::inherited(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), now().into());
        line.insert("level".to_owned(), metadata.level().as_str().into());
        line.insert("target".to_owned(), metadata.target().into());
        let own = &mut Fields {
            into: &mut line,
            only_inherited: false,
        };
        event.record(own);
        if let Some(scope) = context.event_scope(event) {
            // The innermost says it first.
            for span in scope {
                if let Some(Inherited(fields)) = span.extensions().get() {
                    for (name, value) in fields {
                        if !line.contains_key(name) {
                            line.insert(name.clone(), value.clone());
                        }
                    }
                }
            }
        }
        if !line.contains_key("trace_id") {
            let current = opentelemetry::Context::current();
            let span = current.span();
            let span = span.span_context();
            if span.is_valid() {
                line.insert("trace_id".to_owned(), span.trace_id().to_string().into());
                line.insert("span_id".to_owned(), span.span_id().to_string().into());
            }
        }
        if let Ok(mut bytes) = serde_json::to_vec(&line) {
            bytes.push(b'\n');
            // Nobody is left to tell where standard error is gone.
            _ = self.writer.make_writer_for(metadata).write_all(&bytes);
        }
    }
}

fn now() -> String {
    use tracing_subscriber::fmt::{
        format::Writer,
        time::{FormatTime, SystemTime},
    };
    let mut text = String::new();
    _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

impl<'a> Fields<'a> {
    fn inherited(into: &'a mut Map<String, Value>) -> Self {
        Self {
            into,
            only_inherited: true,
        }
    }

    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        if !self.only_inherited || INHERITED.contains(&field.name()) {
            self.into.insert(field.name().to_owned(), value.into());
        }
    }
}

impl Visit for Fields<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_names_its_trace_session_and_user_and_nothing_else_of_its_spans() {
        let lines = Lines::default();
        let writer = lines.clone();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(crate::otlp::Forget)
            .build();
        let subscriber = tracing_subscriber::registry()
            .with(JsonLogs::new(move || writer.clone()))
            .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")));
        tracing::subscriber::with_default(subscriber, || {
            let outer =
                tracing::info_span!("outer", session = "s1", user = tracing::field::Empty, path = "/x");
            outer.record("user", "u1");
            let _outer = outer.enter();
            let _inner = tracing::info_span!("inner", session = "s2").entered();
            tracing::warn!(count = 3, ok = true, "said {}", "so");
        });
        let bytes = lines.0.lock().unwrap().clone();
        let line: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(line["message"], "said so");
        assert_eq!(line["level"], "WARN");
        assert_eq!(
            (&line["count"], &line["ok"]),
            (&Value::from(3), &Value::from(true))
        );
        assert_eq!((&line["session"], &line["user"]), (&"s2".into(), &"u1".into()));
        assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);
        assert_eq!(line["span_id"].as_str().unwrap().len(), 16);
        assert!(line.get("path").is_none());
    }
}
