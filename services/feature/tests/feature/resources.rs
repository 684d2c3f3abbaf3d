//! Reading and subscribing.

use base64::{Engine, engine::general_purpose::STANDARD};
use everything_proto::feature::v1::{CacheHint, cache_hint::Scope, call_event::Event};
use serde_json::json;

use crate::harness::{Feature, alice, error, json as parse, result};

#[tokio::test]
async fn odd_resources_are_text_and_even_ones_binary() {
    let feature = Feature::start().await;
    for (id, contents) in [
        (
            1,
            json!({ "mimeType": "text/plain", "text": "Resource 1: This is a plaintext resource" }),
        ),
        (
            100,
            json!({
                "mimeType": "application/octet-stream",
                "blob": STANDARD.encode("Resource 100: This is a base64 blob"),
            }),
        ),
    ] {
        let uri = format!("test://static/resource/{id}");
        let mut contents = contents;
        contents["uri"] = json!(uri);
        assert_eq!(
            result(feature.read(alice(), &uri).await),
            json!({ "contents": [contents] })
        );
    }
}

#[tokio::test]
async fn a_result_says_how_long_it_may_be_kept() {
    let feature = Feature::start().await;
    let events = feature.read(alice(), "test://static/resource/1").await;
    let [Event::Result(result)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        result.cache,
        Some(CacheHint {
            ttl_ms: 10_000,
            scope: Scope::Public.into()
        })
    );
}

#[tokio::test]
async fn an_unknown_uri_is_not_found_whatever_is_asked_of_it() {
    let feature = Feature::start().await;
    for uri in [
        "test://static/resource/0",
        "test://static/resource/101",
        "test://static/resource/01",
        "test://session/resource/0123456789abcdef0123456789abcdef/x",
        "ui://everything/other",
        "file:///etc/passwd",
        "",
    ] {
        for events in [
            feature.read(alice(), uri).await,
            feature.subscribe(alice(), uri).await,
        ] {
            let error = error(events);
            assert_eq!(
                (error.code, error.message.as_str()),
                (-32002, "resource not found")
            );
            assert_eq!(parse(&error.data_json), json!({ "uri": uri }));
        }
    }
}

#[tokio::test]
async fn known_resources_may_be_subscribed_to() {
    let feature = Feature::start().await;
    for uri in ["test://static/resource/1", "ui://everything/hello-world"] {
        assert_eq!(result(feature.subscribe(alice(), uri).await), json!({}));
    }
}

#[tokio::test]
async fn the_ui_resource_is_an_app_that_loads_nothing() {
    let feature = Feature::start().await;
    let read = result(feature.read(alice(), "ui://everything/hello-world").await);
    let contents = &read["contents"][0];
    assert_eq!(contents["mimeType"], "text/html;profile=mcp-app");
    assert_eq!(contents["_meta"], json!({ "ui": { "prefersBorder": true } }));
    let html = contents["text"].as_str().unwrap();
    assert!(html.starts_with("<!DOCTYPE html>"));
    for message in [
        "ui/initialize",
        "ui/notifications/initialized",
        "ui/notifications/tool-input",
        "ui/notifications/tool-result",
        "ui/notifications/tool-cancelled",
        "ui/notifications/host-context-changed",
        "ui/notifications/size-changed",
        "ui/resource-teardown",
        "tools/call",
        "2026-01-26",
    ] {
        assert!(html.contains(&format!("\"{message}\"")), "{message}");
    }
    // Hosts forbid everything that is not in the document (default CSP of MCP Apps).
    for foreign in ["http:", "https:", "src=", "href=", "innerHTML", "eval("] {
        assert!(!html.contains(foreign), "{foreign}");
    }
}
