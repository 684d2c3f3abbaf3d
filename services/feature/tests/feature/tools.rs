//! What each tool answers, word for word.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::Feature;

fn text(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}

#[tokio::test]
async fn echo_gives_the_message_back() {
    let feature = Feature::start().await;
    for message in ["hello", "", "ünï \u{0} \"quoted\""] {
        let result = feature.call("echo", json!({ "message": message })).await;
        assert_eq!(result, text(&format!("Echo: {message}")));
    }
}

#[tokio::test]
async fn add_sums_numbers_as_javascript_writes_them() {
    let feature = Feature::start().await;
    for (a, b, expected) in [
        (json!(2), json!(3), "The sum of 2 and 3 is 5."),
        (
            json!(0.1),
            json!(0.2),
            "The sum of 0.1 and 0.2 is 0.30000000000000004.",
        ),
        (json!(-1), json!(1.0), "The sum of -1 and 1 is 0."),
        (json!(-0.0), json!(0), "The sum of 0 and 0 is 0."),
    ] {
        assert_eq!(
            feature.call("add", json!({ "a": a, "b": b })).await,
            text(expected)
        );
    }
    let result = feature.call("add", json!({ "a": 1e308, "b": 1e308 })).await;
    assert_eq!(result["isError"], true);
}

#[tokio::test]
async fn get_tiny_image_puts_a_png_between_two_texts() {
    let feature = Feature::start().await;
    let result = feature.call("getTinyImage", json!({})).await;
    assert_eq!(
        result["content"][0],
        json!({ "type": "text", "text": "This is a tiny image:" })
    );
    assert_eq!(result["content"][1]["type"], "image");
    assert_eq!(result["content"][1]["mimeType"], "image/png");
    let png = STANDARD
        .decode(result["content"][1]["data"].as_str().unwrap())
        .unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!(
        result["content"][2],
        json!({ "type": "text", "text": "The image above is the MCP tiny image." })
    );
    assert_eq!(result["content"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn annotated_message_says_for_whom_and_how_important() {
    let feature = Feature::start().await;
    for (kind, message, priority, audience) in [
        (
            "error",
            "Error: Operation failed",
            1.0,
            json!(["user", "assistant"]),
        ),
        (
            "success",
            "Operation completed successfully",
            0.7,
            json!(["user"]),
        ),
        (
            "debug",
            "Debug: Cache hit ratio 0.95, latency 150ms",
            0.3,
            json!(["assistant"]),
        ),
    ] {
        let result = feature
            .call("annotatedMessage", json!({ "messageType": kind }))
            .await;
        let annotations = json!({ "priority": priority, "audience": audience });
        assert_eq!(
            result,
            json!({ "content": [{ "type": "text", "text": message, "annotations": annotations }] })
        );
    }
    let arguments = json!({ "messageType": "debug", "includeImage": true });
    let result = feature.call("annotatedMessage", arguments).await;
    let image = &result["content"][1];
    assert_eq!(
        (&image["type"], &image["mimeType"]),
        (&json!("image"), &json!("image/png"))
    );
    assert_eq!(
        image["annotations"],
        json!({ "priority": 0.5, "audience": ["user"] })
    );
}

#[tokio::test]
async fn get_resource_reference_embeds_the_resource() {
    let feature = Feature::start().await;
    let result = feature
        .call("getResourceReference", json!({ "resourceId": 7 }))
        .await;
    assert_eq!(
        result,
        json!({ "content": [
            { "type": "text", "text": "Returning resource reference for Resource 7:" },
            { "type": "resource", "resource": {
                "uri": "test://static/resource/7",
                "mimeType": "text/plain",
                "text": "Resource 7: This is a plaintext resource",
            } },
            { "type": "text", "text": "You can access this resource using the URI: test://static/resource/7" },
        ] })
    );
    // An integer may be written as a float.
    let result = feature
        .call("getResourceReference", json!({ "resourceId": 8.0 }))
        .await;
    assert_eq!(
        result["content"][1]["resource"],
        json!({
            "uri": "test://static/resource/8",
            "mimeType": "application/octet-stream",
            "blob": STANDARD.encode("Resource 8: This is a base64 blob"),
        })
    );
}

#[tokio::test]
async fn get_resource_links_gives_as_many_as_asked_for() {
    let feature = Feature::start().await;
    let result = feature.call("getResourceLinks", json!({ "count": 2 })).await;
    assert_eq!(
        result,
        json!({ "content": [
            { "type": "text", "text": "Here are 2 resource links to resources available in this server:" },
            {
                "type": "resource_link",
                "uri": "test://static/resource/1",
                "name": "Resource 1",
                "description": "Static text 1",
                "mimeType": "text/plain",
                "size": 40,
            },
            {
                "type": "resource_link",
                "uri": "test://static/resource/2",
                "name": "Resource 2",
                "description": "Static binary 2",
                "mimeType": "application/octet-stream",
                "size": 33,
            },
        ] })
    );
    for (arguments, links) in [(json!({}), 3), (json!({ "count": 10 }), 10)] {
        let result = feature.call("getResourceLinks", arguments).await;
        assert_eq!(result["content"].as_array().unwrap().len(), links + 1);
    }
}

#[tokio::test]
async fn structured_content_is_the_same_for_a_place() {
    let feature = Feature::start().await;
    let result = feature
        .call("getStructuredContent", json!({ "location": "New York" }))
        .await;
    let again = feature
        .call("getStructuredContent", json!({ "location": " new york " }))
        .await;
    assert_eq!(result, again);
    let elsewhere = feature
        .call("getStructuredContent", json!({ "location": "Paris" }))
        .await;
    assert_ne!(result, elsewhere);
    let fallback: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(fallback, result["structuredContent"]);
}

#[tokio::test]
async fn mcp_apps_hello_world_greets() {
    let feature = Feature::start().await;
    for (arguments, name) in [(json!({}), "World"), (json!({ "name": "Ada" }), "Ada")] {
        let greeting = format!("Hello, {name}!");
        assert_eq!(
            feature.call("mcpAppsHelloWorld", arguments).await,
            json!({
                "content": [{ "type": "text", "text": greeting }],
                "structuredContent": { "greeting": greeting, "name": name },
            })
        );
    }
}
