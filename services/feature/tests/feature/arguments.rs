//! Wrong arguments: what a model can correct is a tool error that says what is wrong; the rest is a protocol error.

use everything_proto::feature::v1::CallToolRequest;
use serde_json::{Value, json};

use crate::harness::{Feature, alice, collect, error, result};

#[tokio::test]
async fn invalid_arguments_are_tool_errors_that_name_the_field() {
    let feature = Feature::start().await;
    let cases = [
        ("echo", json!({}), "message: is required"),
        (
            "echo",
            json!({ "message": 1 }),
            "message: must be a string, but is a number",
        ),
        (
            "echo",
            json!({ "message": null }),
            "message: must be a string, but is null",
        ),
        (
            "echo",
            json!({ "message": "x", "extra": 1 }),
            "extra: is not a known field",
        ),
        (
            "add",
            json!({ "a": "1", "b": 2 }),
            "a: must be a number, but is a string",
        ),
        ("add", json!({ "a": 1 }), "b: is required"),
        (
            "longRunningOperation",
            json!({ "duration": 301 }),
            "duration: must be at most 300",
        ),
        (
            "longRunningOperation",
            json!({ "duration": -1 }),
            "duration: must be at least 0",
        ),
        (
            "longRunningOperation",
            json!({ "steps": 0 }),
            "steps: must be at least 1",
        ),
        (
            "longRunningOperation",
            json!({ "steps": 1001 }),
            "steps: must be at most 1000",
        ),
        (
            "longRunningOperation",
            json!({ "steps": 1.5 }),
            "steps: must be an integer, but is a number",
        ),
        (
            "sampleLLM",
            json!({ "prompt": "x", "maxTokens": 0 }),
            "maxTokens: must be at least 1",
        ),
        ("getTinyImage", json!({ "x": 1 }), "x: is not a known field"),
        (
            "annotatedMessage",
            json!({ "messageType": "warning" }),
            r#"messageType: must be one of "error", "success", "debug""#,
        ),
        (
            "annotatedMessage",
            json!({ "messageType": "debug", "includeImage": "yes" }),
            "includeImage: must be a boolean, but is a string",
        ),
        (
            "getResourceReference",
            json!({ "resourceId": 0 }),
            "resourceId: must be at least 1",
        ),
        (
            "getResourceReference",
            json!({ "resourceId": 101 }),
            "resourceId: must be at most 100",
        ),
        (
            "getResourceReference",
            json!({ "resourceId": 1e300 }),
            "resourceId: must be at most 100",
        ),
        (
            "getResourceLinks",
            json!({ "count": 11 }),
            "count: must be at most 10",
        ),
        (
            "getStructuredContent",
            json!({ "location": " \t" }),
            r"location: does not match the pattern \S",
        ),
        (
            "elicitUrl",
            json!({ "url": "not a url" }),
            "url: is not a valid uri",
        ),
        (
            "elicitUrl",
            json!({ "url": "javascript:alert(1)" }),
            "url: must be an http or https URL",
        ),
        (
            "mcpAppsHelloWorld",
            json!({ "name": "" }),
            "name: must not be empty",
        ),
        (
            "gzipAsResource",
            json!({ "data": 1 }),
            "data: has none of the allowed forms",
        ),
        ("gzipAsResource", json!({ "data": "x", "outputType": "file" }), {
            r#"outputType: must be one of "resourceLink", "resource""#
        }),
    ];
    for (tool, arguments, problem) in cases {
        assert_eq!(
            feature.call(tool, arguments).await,
            json!({
                "content": [{
                    "type": "text",
                    "text": format!("Invalid arguments for tool {tool}:\n- {problem}"),
                }],
                "isError": true,
            })
        );
    }
}

#[tokio::test]
async fn every_problem_is_named_and_no_value_is_repeated() {
    let feature = Feature::start().await;
    let result = feature.call("add", json!({ "a": "s3cret", "c": 1 })).await;
    let text = result["content"][0]["text"].as_str().unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "- a: must be a number, but is a string",
            "- b: is required",
            "- c: is not a known field",
            "Invalid arguments for tool add:",
        ]
    );

    let many: serde_json::Map<String, Value> = (0..10_000)
        .map(|index| (format!("{index}{}", "x".repeat(100)), json!(0)))
        .collect();
    let result = feature.call("echo", many.into()).await;
    assert!(result["content"][0]["text"].as_str().unwrap().len() < 1000);
}

#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error() {
    let feature = Feature::start().await;
    let long = "x".repeat(64);
    for name in ["nope", "", "Echo", &long] {
        let error = error(feature.call_in(alice(), name, json!({})).await);
        assert_eq!(
            (error.code, error.message.as_str()),
            (-32602, format!("unknown tool: {name}").as_str())
        );
    }
}

#[tokio::test]
async fn arguments_that_are_no_object_are_a_protocol_error() {
    let feature = Feature::start().await;
    let call = async |arguments: &'static [u8]| {
        let request = CallToolRequest {
            context: Some(alice()),
            name: "getTinyImage".to_owned(),
            arguments_json: arguments.into(),
        };
        collect(
            feature
                .client
                .clone()
                .call_tool(request)
                .await
                .unwrap()
                .into_inner(),
        )
        .await
    };
    for bad in ["[]", "1", "null", "\"{}\""] {
        let error = error(call(bad.as_bytes()).await);
        assert_eq!(
            (error.code, error.message.as_str()),
            (-32602, "arguments must be an object")
        );
    }
    for bad in [&b"{"[..], b"{\"a\":\xff}", b"\xff"] {
        let error = error(call(bad).await);
        assert_eq!(error.code, -32602);
        assert!(
            error.message.starts_with("arguments are not valid JSON: "),
            "{}",
            error.message
        );
    }
    // No arguments at all are an empty object.
    assert_eq!(result(call(b"").await)["content"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn arguments_nested_too_deep_are_refused() {
    let feature = Feature::start().await;
    let deep = format!("{{\"message\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let request = CallToolRequest {
        context: Some(alice()),
        name: "echo".to_owned(),
        arguments_json: deep.into(),
    };
    let stream = feature
        .client
        .clone()
        .call_tool(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(error(collect(stream).await).code, -32602);
}
