//! Names, units and buckets, against the tables of the conventions.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    metrics::v1::{Metric, metric::Data},
};
use serde_json::json;
use system_tests::{Browser, OtlpReceiver, Stack, client::McpClient};

use super::seen::{eventually, prometheus};

/// What a metric is.
enum Kind {
    Histogram(&'static [f64]),
    Counter,
    UpDownCounter,
    Gauge,
}

/// A row of the conventions' tables, and where to find it here.
struct Row {
    name: &'static str,
    unit: &'static str,
    kind: Kind,
    /// Attributes that every point has.
    required: &'static [&'static str],
    /// All other attributes that a point may have.
    allowed: &'static [&'static str],
    /// A process that must report it.
    part: &'static str,
    /// Its name as Prometheus text.
    prometheus: &'static str,
}

// Copied from the conventions, not from the server: open-telemetry/semantic-conventions 1.44.0 and
// semantic-conventions-genai docs/gen-ai/mcp.md.
const MCP: Kind = Kind::Histogram(&[
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
]);
const REQUEST: Kind = Kind::Histogram(&[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
]);
const SIZE: Kind = Kind::Histogram(&[
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
]);
const HTTP_ALLOWED: &[&str] = &[
    "error.type",
    "http.response.status_code",
    "http.route",
    "network.protocol.version",
];

const TABLE: &[Row] = &[
    // docs/gen-ai/mcp.md
    Row {
        name: "mcp.server.operation.duration",
        unit: "s",
        kind: MCP,
        required: &["mcp.method.name"],
        allowed: &[
            "error.type",
            "gen_ai.prompt.name",
            "gen_ai.tool.name",
            "rpc.response.status_code",
            "gen_ai.operation.name",
            "mcp.protocol.version",
            "network.protocol.name",
            "network.transport",
        ],
        part: "edge-0",
        prometheus: "mcp_server_operation_duration_seconds",
    },
    Row {
        name: "mcp.server.session.duration",
        unit: "s",
        kind: MCP,
        required: &[
            "mcp.protocol.version",
            "network.protocol.name",
            "network.transport",
        ],
        allowed: &["error.type"],
        part: "session-0",
        prometheus: "mcp_server_session_duration_seconds",
    },
    // docs/http/http-metrics.md
    Row {
        name: "http.server.request.duration",
        unit: "s",
        kind: REQUEST,
        required: &["http.request.method", "url.scheme"],
        allowed: HTTP_ALLOWED,
        part: "edge-0",
        prometheus: "http_server_request_duration_seconds",
    },
    Row {
        name: "http.server.active_requests",
        unit: "{request}",
        kind: Kind::UpDownCounter,
        required: &["http.request.method", "url.scheme"],
        allowed: &[],
        part: "edge-0",
        prometheus: "http_server_active_requests",
    },
    Row {
        name: "http.server.request.body.size",
        unit: "By",
        kind: SIZE,
        required: &["http.request.method", "url.scheme"],
        allowed: HTTP_ALLOWED,
        part: "edge-0",
        prometheus: "http_server_request_body_size_bytes",
    },
    Row {
        name: "http.server.response.body.size",
        unit: "By",
        kind: SIZE,
        required: &["http.request.method", "url.scheme"],
        allowed: HTTP_ALLOWED,
        part: "edge-0",
        prometheus: "http_server_response_body_size_bytes",
    },
    // docs/rpc/rpc-metrics.md
    Row {
        name: "rpc.client.call.duration",
        unit: "s",
        kind: REQUEST,
        required: &["rpc.system.name", "rpc.method", "rpc.response.status_code"],
        allowed: &["error.type"],
        part: "edge-0",
        prometheus: "rpc_client_call_duration_seconds",
    },
    Row {
        name: "rpc.server.call.duration",
        unit: "s",
        kind: REQUEST,
        required: &["rpc.system.name", "rpc.method", "rpc.response.status_code"],
        allowed: &["error.type"],
        part: "auth-0",
        prometheus: "rpc_server_call_duration_seconds",
    },
    // docs/db/database-metrics.md
    Row {
        name: "db.client.operation.duration",
        unit: "s",
        kind: Kind::Histogram(&[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0]),
        required: &["db.system.name", "db.operation.name"],
        allowed: &["error.type", "db.stored_procedure.name"],
        part: "session-0",
        prometheus: "db_client_operation_duration_seconds",
    },
    // docs/system/process-metrics.md
    Row {
        name: "process.cpu.time",
        unit: "s",
        kind: Kind::Counter,
        required: &["cpu.mode"],
        allowed: &[],
        part: "feature-0",
        prometheus: "process_cpu_time_seconds_total",
    },
    Row {
        name: "process.memory.usage",
        unit: "By",
        kind: Kind::UpDownCounter,
        required: &[],
        allowed: &[],
        part: "feature-0",
        prometheus: "process_memory_usage_bytes",
    },
    Row {
        name: "process.memory.virtual",
        unit: "By",
        kind: Kind::UpDownCounter,
        required: &[],
        allowed: &[],
        part: "feature-0",
        prometheus: "process_memory_virtual_bytes",
    },
    Row {
        name: "process.thread.count",
        unit: "{thread}",
        kind: Kind::UpDownCounter,
        required: &[],
        allowed: &[],
        part: "feature-0",
        prometheus: "process_thread_count",
    },
    Row {
        name: "process.unix.file_descriptor.count",
        unit: "{file_descriptor}",
        kind: Kind::UpDownCounter,
        required: &[],
        allowed: &[],
        part: "feature-0",
        prometheus: "process_unix_file_descriptor_count",
    },
    Row {
        name: "process.uptime",
        unit: "s",
        kind: Kind::Gauge,
        required: &[],
        allowed: &[],
        part: "feature-0",
        prometheus: "process_uptime_seconds",
    },
];

/// Those that no convention has; their names say so.
const OWN: &[(&str, &str, &str)] = &[
    ("everything.streams.open", "{stream}", "edge-0"),
    ("everything.calls.running", "{request}", "edge-0"),
    ("everything.queue.depth", "{item}", "edge-0"),
    ("everything.queue.limit", "{item}", "edge-0"),
    ("everything.cache.requests", "{request}", "edge-0"),
    ("everything.cache.entries", "{entry}", "edge-0"),
    ("everything.sessions.live", "{session}", "session-0"),
    ("everything.redis.ready", "{server}", "session-0"),
    ("everything.redis.connections", "{connection}", "session-0"),
    ("everything.redis.reconnects", "{reconnect}", "session-0"),
    ("everything.redis.commands.in_flight", "{command}", "session-0"),
    ("everything.runtime.tasks", "{task}", "feature-0"),
    ("everything.runtime.workers", "{thread}", "feature-0"),
    ("everything.runtime.queue", "{task}", "feature-0"),
];

/// What one process reported last of a metric.
fn reported(receiver: &OtlpReceiver, part: &str, name: &str) -> Option<Metric> {
    let service = format!("everything-{}", part.trim_end_matches("-0"));
    receiver
        .metrics()
        .into_iter()
        .filter(|of_process| {
            let attributes = of_process.resource.as_ref().map(|resource| &resource.attributes);
            attributes.is_some_and(|attributes| {
                attributes
                    .iter()
                    .any(|attribute| attribute.key == "service.name" && text(attribute) == service)
            })
        })
        .flat_map(|of_process| of_process.scope_metrics)
        .flat_map(|scope| scope.metrics)
        .filter(|metric| metric.name == name)
        .next_back()
}

fn text(attribute: &KeyValue) -> String {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// The attributes of every point.
fn points(metric: &Metric) -> Vec<Vec<KeyValue>> {
    match metric.data.as_ref().unwrap() {
        Data::Histogram(data) => data
            .data_points
            .iter()
            .map(|point| point.attributes.clone())
            .collect(),
        Data::Sum(data) => data
            .data_points
            .iter()
            .map(|point| point.attributes.clone())
            .collect(),
        Data::Gauge(data) => data
            .data_points
            .iter()
            .map(|point| point.attributes.clone())
            .collect(),
        other => panic!("{other:?}"),
    }
}

/// Every value that an attribute has in a metric.
fn values(metric: &Metric, key: &str) -> BTreeSet<String> {
    points(metric)
        .iter()
        .flatten()
        .filter(|attribute| attribute.key == key)
        .map(text)
        .collect()
}

fn check(row: &Row, metric: &Metric) {
    let name = row.name;
    assert_eq!(metric.unit, row.unit, "{name}");
    assert!(!metric.description.is_empty(), "{name}");
    match (&row.kind, metric.data.as_ref().unwrap()) {
        (Kind::Histogram(buckets), Data::Histogram(data)) => {
            for point in &data.data_points {
                assert_eq!(point.explicit_bounds, *buckets, "{name}");
            }
        }
        (Kind::Counter, Data::Sum(sum)) => assert!(sum.is_monotonic, "{name}"),
        (Kind::UpDownCounter, Data::Sum(sum)) => assert!(!sum.is_monotonic, "{name}"),
        (Kind::Gauge, Data::Gauge(_)) => {}
        (_, other) => panic!("{name} is another kind of metric: {other:?}"),
    }
    for point in points(metric) {
        let keys: Vec<&str> = point.iter().map(|attribute| attribute.key.as_str()).collect();
        for required in row.required {
            assert!(keys.contains(required), "{name} has no {required}: {keys:?}");
        }
        for key in keys {
            assert!(
                row.required.contains(&key) || row.allowed.contains(&key),
                "{name} must not have {key}"
            );
        }
    }
}

/// Something of everything that is measured.
async fn use_everything(stack: &Stack) {
    let token = Browser::of("alice")
        .unwrap()
        .log_in(&stack.url("/mcp"))
        .await
        .unwrap()
        .access_token;
    let url = stack.url("/mcp");
    let client = McpClient::connect(&url, "2025-11-25", json!({}), Some(&token))
        .await
        .unwrap();
    let _stream = client.get(None).await.unwrap();
    client.tool("echo", json!({ "message": "hello" })).await;
    // A name that the client made up, and arguments that are wrong.
    let made_up = json!({ "name": "made up", "arguments": {} });
    client.call("tools/call", made_up).await.unwrap_err();
    client
        .call("prompts/get", json!({ "name": "simple_prompt" }))
        .await
        .unwrap();
    client.call("made/up", json!({})).await.unwrap_err();
    assert_eq!(client.delete().await.unwrap().status, 204);
    // Another method than any that HTTP knows, and a path that no route matches.
    let http = reqwest::Client::new();
    let odd = reqwest::Method::from_bytes(b"BREW").unwrap();
    http.request(odd, stack.url("/made/up")).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_those_of_the_conventions() {
    let receiver = OtlpReceiver::start().await.unwrap();
    let stack = Stack::builder()
        .processes()
        .redis()
        .setting("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.endpoint())
        .setting("OTEL_METRIC_EXPORT_INTERVAL", "250")
        .setting("OTEL_TRACES_EXPORTER", "none")
        .setting("ADMIN_ADDR", "127.0.0.1:0")
        .setting("RUST_LOG", "info")
        .start()
        .await
        .unwrap();
    use_everything(&stack).await;

    for row in TABLE {
        let found = eventually(row.name, async || reported(&receiver, row.part, row.name)).await;
        check(row, &found);
        let families = prometheus(&stack, row.part).await;
        let family = families.get(row.prometheus);
        let family = family.unwrap_or_else(|| panic!("{} not among {:?}", row.prometheus, families.keys()));
        let kind = match &row.kind {
            Kind::Histogram(_) => "histogram",
            Kind::Counter => "counter",
            Kind::UpDownCounter | Kind::Gauge => "gauge",
        };
        assert_eq!(family.kind, kind, "{}", row.prometheus);
        if let Kind::Histogram(buckets) = &row.kind {
            let shown: BTreeSet<String> = family
                .samples
                .iter()
                .filter_map(|sample| sample.labels.get("le").cloned())
                .collect();
            let mut expected: BTreeSet<String> = buckets.iter().map(ToString::to_string).collect();
            expected.insert("+Inf".to_owned());
            assert_eq!(shown, expected, "{}", row.prometheus);
        }
        assert!(
            family.samples.iter().all(|sample| sample.value >= 0.0),
            "{}",
            row.prometheus
        );
    }
    for (name, unit, part) in OWN {
        let found = eventually(name, async || reported(&receiver, part, name)).await;
        assert_eq!(found.unit, *unit, "{name}");
    }

    // Nothing that a client makes up has a series of its own.
    let operations = eventually("the operations of the client", async || {
        let metric = reported(&receiver, "edge-0", "mcp.server.operation.duration")?;
        let methods = values(&metric, "mcp.method.name");
        [
            "initialize",
            "notifications/initialized",
            "tools/call",
            "prompts/get",
            "_OTHER",
        ]
        .iter()
        .all(|method| methods.contains(*method))
        .then_some(metric)
    })
    .await;
    assert!(!values(&operations, "mcp.method.name").contains("made/up"));
    let named = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        values(&operations, "gen_ai.tool.name"),
        named(&["_OTHER", "echo"])
    );
    assert_eq!(
        values(&operations, "gen_ai.prompt.name"),
        named(&["simple_prompt"])
    );
    assert!(values(&operations, "error.type").contains("-32602"));
    let requests = eventually("the odd request", async || {
        let metric = reported(&receiver, "edge-0", "http.server.request.duration")?;
        values(&metric, "http.request.method")
            .contains("_OTHER")
            .then_some(metric)
    })
    .await;
    let routes = values(&requests, "http.route");
    assert!(
        routes.contains("/mcp") && !routes.contains("/made/up"),
        "{routes:?}"
    );
}
