//! What each of the standard variables does, in a real process.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::json;
use system_tests::{OtlpReceiver, Stack, client::McpClient};

use super::{
    otlp_http::OtlpHttp,
    seen::{eventually, log, terminate},
};

/// Stands for that of the test's receiver.
const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "*");

/// A stack with one process that exported all it had, and is gone.
async fn run(settings: &[(&str, &str)]) -> Stack {
    let mut builder = Stack::builder()
        .all_in_one()
        .auth_disabled()
        .setting("RUST_LOG", "info");
    for (name, value) in settings {
        builder = builder.setting(name, value);
    }
    let stack = builder.start().await.unwrap();
    let client = McpClient::connect(&stack.url("/mcp"), "2025-11-25", json!({}), None)
        .await
        .unwrap();
    client.tool("echo", json!({ "message": "hello" })).await;
    // Flushes the tail.
    terminate(&stack, "edge-0").await;
    stack
}

/// Settings, whether spans and metrics arrive, and what is told at the start.
type Row = (
    &'static [(&'static str, &'static str)],
    (bool, bool),
    &'static str,
);

/// What arrived at a receiver: signals, and the services that sent them.
fn arrived(receiver: &OtlpReceiver) -> (bool, bool) {
    (!receiver.spans().is_empty(), !receiver.metrics().is_empty())
}

/// Which signals arrive at a gRPC receiver, whose endpoint stands for `*`, and what is logged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_standard_variables_say_what_is_exported() {
    let (both, none, spans, metrics) = ((true, true), (false, false), (true, false), (false, true));
    // The defaults would not export before the process ends; so what arrives was flushed.
    let rows: Vec<Row> = vec![
        (&[ENDPOINT], both, ""),
        (&[], none, ""),
        (&[ENDPOINT, ("OTEL_SDK_DISABLED", "true")], none, ""),
        (&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")], metrics, ""),
        (&[ENDPOINT, ("OTEL_METRICS_EXPORTER", "none")], spans, ""),
        (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "*")], spans, ""),
        (&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "*")], metrics, ""),
        (&[ENDPOINT, ("OTEL_TRACES_SAMPLER", "always_off")], metrics, ""),
        (
            &[
                ENDPOINT,
                ("OTEL_TRACES_SAMPLER", "traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "0"),
            ],
            metrics,
            "",
        ),
        (
            &[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")],
            both,
            "OTEL_EXPORTER_OTLP_PROTOCOL: \"http/json\" is not supported",
        ),
        (
            &[ENDPOINT, ("OTEL_PROPAGATORS", "b3")],
            both,
            "OTEL_PROPAGATORS: \"b3\" is not supported",
        ),
        (
            &[ENDPOINT, ("OTEL_TRACES_SAMPLER", "xray")],
            both,
            "OTEL_TRACES_SAMPLER: \"xray\" is not supported",
        ),
    ];
    let checks = rows.into_iter().map(|(settings, expected, told)| async move {
        let receiver = OtlpReceiver::start().await.unwrap();
        let at = receiver.endpoint();
        let settings: Vec<(&str, &str)> = settings
            .iter()
            .map(|(name, value)| (*name, if *value == "*" { at.as_str() } else { *value }))
            .collect();
        let stack = run(&settings).await;
        assert_eq!(arrived(&receiver), expected, "{settings:?}");
        let log = log(&stack, "edge-0");
        assert!(log.contains(told), "{settings:?}: {log}");
        if told.is_empty() {
            assert!(!log.contains("OTEL_"), "{settings:?}: {log}");
        }
    });
    stream::iter(checks)
        .buffer_unordered(3)
        .collect::<Vec<()>>()
        .await;
}

/// Resource attributes, service name, span limits, batches and intervals are read by the SDK; they must get there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_sdk_reads_reaches_it() {
    let receiver = OtlpReceiver::start().await.unwrap();
    let endpoint = receiver.endpoint();
    let stack = Stack::builder()
        .all_in_one()
        .auth_disabled()
        .setting("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .setting("OTEL_SERVICE_NAME", "mine")
        .setting(
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.instance.id=one,deployment.environment.name=test",
        )
        .setting("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "2")
        .setting("OTEL_BSP_SCHEDULE_DELAY", "50")
        .setting("OTEL_METRIC_EXPORT_INTERVAL", "100")
        .start()
        .await
        .unwrap();
    McpClient::connect(&stack.url("/mcp"), "2025-11-25", json!({}), None)
        .await
        .unwrap();
    // The process goes on: the intervals are those that were set.
    eventually("spans and metrics", async || {
        (arrived(&receiver) == (true, true)).then_some(())
    })
    .await;
    for span in receiver.spans() {
        assert_eq!((span.service.as_str(), span.instance.as_str()), ("mine", "one"));
        assert!(span.attributes.len() <= 2, "{span:?}");
    }
    let metrics = format!("{:?}", receiver.metrics());
    assert!(metrics.contains("\"mine\"") && metrics.contains("deployment.environment.name"));
}

/// OTLP over HTTP, with headers and compression.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_go_over_http_with_headers_and_compressed() {
    let receiver = OtlpHttp::start().await;
    let endpoint = receiver.endpoint();
    run(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=a%20key"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ])
    .await;
    for path in ["/v1/traces", "/v1/metrics"] {
        let exports = receiver.exports(path);
        assert!(!exports.is_empty(), "nothing at {path}");
        for export in exports {
            assert_eq!(export.headers["x-api-key"], "a key");
            assert_eq!(export.headers["content-encoding"], "gzip");
            assert_eq!(export.headers["content-type"], "application/x-protobuf");
        }
    }
    let exports = receiver.exports("/v1/traces");
    let names: BTreeSet<String> = exports
        .iter()
        .flat_map(|export| {
            ExportTraceServiceRequest::decode(&export.body[..])
                .unwrap()
                .resource_spans
        })
        .flat_map(|of_process| of_process.scope_spans)
        .flat_map(|scope| scope.spans)
        .map(|span| span.name)
        .collect();
    assert!(names.contains("POST /mcp"), "{names:?}");
}

/// An endpoint of the signal's own is taken as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signals_own_endpoint_comes_first() {
    let (general, own) = (OtlpHttp::start().await, OtlpHttp::start().await);
    let own_endpoint = format!("{}/mine", own.endpoint());
    run(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &general.endpoint()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &own_endpoint),
    ])
    .await;
    assert!(!own.exports("/mine").is_empty() && own.exports("/v1/metrics").is_empty());
    assert!(general.exports("/v1/traces").is_empty() && !general.exports("/v1/metrics").is_empty());
}
