//! Names, units and buckets, against the tables of the conventions.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    metrics::v1::{Metric, metric::Data},
};
use serde_json::json;
use system_tests::{Browser, OtlpReceiver, Stack, client::McpClient};

use super::{
    conventions::{Kind, OWN, Row, TABLE},
    seen::{eventually, prometheus},
};

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
        .rfind(|metric| metric.name == name)
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
