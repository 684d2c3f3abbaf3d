//! What a trace shows of Redis: each command of a request, by the semantic conventions, and nothing that is secret.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use opentelemetry::trace::{SpanKind, Status, TracerProvider};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use redis_store::{Error, Redis, Script, testing::RedisServer};
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;

#[derive(Clone, Debug, Default)]
struct Exported(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Exported {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

/// Name and attributes of what was exported since, in order.
impl Exported {
    fn take(&self) -> Vec<SpanData> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn attributes(span: &SpanData) -> BTreeMap<String, String> {
    let text = |attribute: &opentelemetry::KeyValue| (attribute.key.to_string(), attribute.value.to_string());
    let all = span.attributes.iter().map(text);
    all.filter(|(key, _)| key.starts_with("db.") || key.starts_with("server.") || key == "error.type")
        .collect()
}

async fn request<T>(work: impl Future<Output = T>) -> T {
    work.instrument(tracing::info_span!("request")).await
}

#[tokio::test]
async fn every_command_of_a_request_is_a_client_span() {
    let exported = Exported::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exported.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

    let server = RedisServer::start().await;
    let redis = Redis::connect(&server.address()).unwrap();
    redis.health().wait_for(Result::is_ok).await.unwrap();
    // In the background, nothing.
    let (): () = redis::cmd("SET")
        .arg(&["a-key", "a-value"])
        .query_async(&mut redis.commands())
        .await
        .unwrap();
    assert!(exported.take().is_empty());

    let mut commands = redis.commands();
    let value: String = request(redis::cmd("GET").arg("a-key").query_async(&mut commands))
        .await
        .unwrap();
    assert_eq!(value, "a-value");
    let spans = exported.take();
    let [get, parent] = &spans[..] else {
        panic!("{spans:?}")
    };
    assert_eq!((&*get.name, &get.span_kind), ("GET", &SpanKind::Client));
    assert_eq!(get.parent_span_id, parent.span_context.span_id());
    let port = server.port().to_string();
    let expected = [
        ("db.namespace", "0"),
        ("db.operation.name", "GET"),
        ("db.system.name", "redis"),
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
    ];
    let expected: BTreeMap<_, _> = expected
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    assert_eq!(attributes(get), expected);
    assert!(!format!("{get:?}").contains("a-"), "{get:?}");

    let script = Script::new("double", "return redis.call('GET', KEYS[1])");
    for _ in 0..2 {
        let _: String = request(script.key("a-key").invoke_async(&mut commands))
            .await
            .unwrap();
    }
    let spans = exported.take();
    let names: Vec<&str> = spans.iter().map(|span| &*span.name).collect();
    // The script goes along with its first use.
    assert_eq!(
        names,
        [
            "EVALSHA double",
            "EVAL double",
            "request",
            "EVALSHA double",
            "request"
        ]
    );
    assert!(spans.iter().all(|span| span.status == Status::Unset));
    assert_eq!(attributes(&spans[3])["db.stored_procedure.name"], "double");

    let mut pipeline = redis::pipe();
    pipeline.get("a-key").get("b");
    let _: (String, Option<String>) = request(pipeline.query_async(&mut commands)).await.unwrap();
    let spans = exported.take();
    assert_eq!(&*spans[0].name, "PIPELINE GET");
    assert_eq!(attributes(&spans[0])["db.operation.batch.size"], "2");

    let wrong = request(
        redis::cmd("HGETALL")
            .arg("a-key")
            .query_async::<redis::Value>(&mut commands),
    )
    .await;
    assert_eq!(
        wrong.map_err(Error::from),
        Err(Error::Refused("WRONGTYPE".to_owned()))
    );
    let spans = exported.take();
    let failed = attributes(&spans[0]);
    assert_eq!(
        (&*failed["db.response.status_code"], &*failed["error.type"]),
        ("WRONGTYPE", "WRONGTYPE")
    );
    assert!(
        matches!(spans[0].status, Status::Error { .. }),
        "{:?}",
        spans[0].status
    );
}
