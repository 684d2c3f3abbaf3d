//! Parameters of the wrong type or value, for every method.

use serde_json::{Value, json};

use super::{
    table::{Bench, Row, check},
    wire::{REVISIONS, Session},
};

const INVALID_PARAMS: i64 = -32602;
const RESOURCE_NOT_FOUND: i64 = -32002;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_of_the_wrong_type_are_named() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        check(session, wrong_types(session)).await;
    }
}

fn wrong_types(session: &Session) -> Vec<Row> {
    // Method, a good set of parameters, and the parameters that must be as they are.
    let methods = [
        ("tools/list", json!({}), vec![("cursor", json!(1))]),
        ("resources/list", json!({}), vec![("cursor", json!({}))]),
        (
            "resources/templates/list",
            json!({}),
            vec![("cursor", json!(true))],
        ),
        ("prompts/list", json!({}), vec![("cursor", json!([]))]),
        (
            "tools/call",
            json!({ "name": "echo", "arguments": {} }),
            vec![
                ("name", Value::Null),
                ("name", json!(1)),
                ("name", json!(["echo"])),
                ("name", json!("n".repeat(5000))),
                ("arguments", json!([])),
                ("arguments", json!("x")),
                ("arguments", json!(1)),
            ],
        ),
        (
            "resources/read",
            json!({ "uri": "test://static/resource/1" }),
            vec![
                ("uri", Value::Null),
                ("uri", json!(1)),
                ("uri", json!({})),
                ("uri", json!("u".repeat(5000))),
            ],
        ),
        (
            "resources/subscribe",
            json!({ "uri": "x" }),
            vec![("uri", json!(1)), ("uri", Value::Null)],
        ),
        (
            "resources/unsubscribe",
            json!({ "uri": "x" }),
            vec![("uri", json!([])), ("uri", Value::Null)],
        ),
        (
            "prompts/get",
            json!({ "name": "simple_prompt", "arguments": {} }),
            vec![
                ("name", json!(1)),
                ("name", Value::Null),
                ("arguments", json!([])),
                ("arguments", json!({ "temperature": 1 })),
                ("arguments", json!({ "temperature": null })),
            ],
        ),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": "complex_prompt" }, "argument": { "name": "style", "value": "" } }),
            vec![
                ("ref", json!("x")),
                ("ref", Value::Null),
                ("ref", json!({ "type": "ref/nothing" })),
                ("ref", json!({ "type": 1 })),
                ("ref", json!({ "type": "ref/prompt" })),
                ("ref", json!({ "type": "ref/resource", "name": "x" })),
                ("argument", json!(1)),
                ("argument", json!({ "name": "style" })),
                ("argument", json!({ "name": 1, "value": "" })),
                ("argument", json!({ "name": "style", "value": 1 })),
            ],
        ),
        (
            "logging/setLevel",
            json!({ "level": "info" }),
            vec![
                ("level", json!(1)),
                ("level", json!("loud")),
                ("level", json!("INFO")),
                ("level", Value::Null),
                ("level", json!("")),
            ],
        ),
    ];
    let mut rows = Vec::new();
    for (method, good, wrong) in methods {
        for (parameter, value) in wrong {
            let mut params = good.clone();
            params[parameter] = value;
            let name = format!("{method} {params:.120}");
            rows.push(Row::new(name, session.call("me", method, params)).gets_error(
                "me",
                200,
                INVALID_PARAMS,
                parameter,
            ));
        }
        for required in good
            .as_object()
            .unwrap()
            .keys()
            .filter(|name| *name != "arguments")
        {
            let mut params = good.clone();
            params.as_object_mut().unwrap().remove(required);
            let name = format!("{method} without {required}");
            rows.push(Row::new(name, session.call("me", method, params)).gets_error(
                "me",
                200,
                INVALID_PARAMS,
                required,
            ));
        }
        for (meta, word) in [
            (json!(1), "_meta"),
            (json!([]), "_meta"),
            (json!({ "progressToken": {} }), "progressToken"),
            (json!({ "progressToken": 1.5 }), "progressToken"),
            (json!({ "progressToken": "t".repeat(5000) }), "progressToken"),
        ] {
            let mut params = good.clone();
            params["_meta"] = meta;
            let name = format!("{method} with _meta {:.60}", params["_meta"]);
            rows.push(Row::new(name, session.call("me", method, params)).gets_error(
                "me",
                200,
                INVALID_PARAMS,
                word,
            ));
        }
    }
    let ping = session.call("me", "ping", json!({ "_meta": 1 }));
    rows.push(Row::new("ping with _meta 1", ping).gets_error("me", 200, INVALID_PARAMS, "_meta"));
    let twice = session
        .post(r#"{"jsonrpc":"2.0","id":"me","method":"tools/call","params":{"name":"echo","name":"add"}}"#);
    rows.push(Row::new("a parameter twice", twice).gets_error("me", 200, INVALID_PARAMS, "twice"));
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_that_no_list_has_given_out() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        let mut rows = Vec::new();
        for method in [
            "tools/list",
            "resources/list",
            "resources/templates/list",
            "prompts/list",
        ] {
            for cursor in [
                "x",
                "",
                "0",
                "-1",
                "10",
                "99999999999999999999",
                "bm90aGluZw==",
                "é",
                "c".repeat(4000).as_str(),
            ] {
                let request = session.call("me", method, json!({ "cursor": cursor }));
                rows.push(Row::new(format!("{method} {cursor:.20?}"), request).gets_error(
                    "me",
                    200,
                    INVALID_PARAMS,
                    "cursor",
                ));
            }
        }
        check(session, rows).await;
    }
}

/// What is asked for is named, or is in `data`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_named() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        let row = |method: &str, params: Value, word: &str| {
            Row::new(
                format!("{method} {params:.80}"),
                session.call("me", method, params),
            )
            .gets_error("me", 200, INVALID_PARAMS, word)
        };
        let rows = vec![
            row("tools/call", json!({ "name": "nothing" }), "nothing"),
            row("tools/call", json!({ "name": "" }), "tool"),
            row("tools/call", json!({ "name": "ECHO" }), "ECHO"),
            row("tools/call", json!({ "name": "../echo" }), "../echo"),
            row("tools/call", json!({ "name": "n".repeat(4000) }), "nnn…"),
            row("prompts/get", json!({ "name": "nothing" }), "nothing"),
            row("prompts/get", json!({ "name": "" }), "prompt"),
            // Reference failure 24.
            row("prompts/get", json!({ "name": "complex_prompt" }), "temperature"),
            row(
                "prompts/get",
                json!({ "name": "complex_prompt", "arguments": { "style": "x" } }),
                "temperature",
            ),
            row(
                "prompts/get",
                json!({ "name": "complex_prompt", "arguments": { "temperature": "" } }),
                "temperature",
            ),
            row("prompts/get", json!({ "name": "resource_prompt" }), "resourceId"),
            row(
                "prompts/get",
                json!({ "name": "resource_prompt", "arguments": { "resourceId": "x" } }),
                "resourceId",
            ),
            row(
                "prompts/get",
                json!({ "name": "resource_prompt", "arguments": { "resourceId": "101" } }),
                "resourceId",
            ),
            row(
                "completion/complete",
                json!({ "ref": { "type": "ref/prompt", "name": "nothing" }, "argument": { "name": "a", "value": "" } }),
                "nothing",
            ),
            row(
                "completion/complete",
                json!({ "ref": { "type": "ref/resource", "uri": "x://{y}" }, "argument": { "name": "a", "value": "" } }),
                "x://{y}",
            ),
        ];
        check(session, rows).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resources_that_are_not_there_are_in_data() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        for uri in [
            "test://static/resource/0",
            "test://static/resource/101",
            "test://static/resource/1/../2",
            "test://static/resource/",
            "file:///etc/passwd",
            "nothing",
            "",
            "é\u{0}",
        ] {
            for method in ["resources/read", "resources/subscribe"] {
                let answer = session
                    .send(session.call("me", method, json!({ "uri": uri })))
                    .await;
                let message = answer.message();
                assert_eq!(
                    message["error"]["code"], RESOURCE_NOT_FOUND,
                    "{method} {uri:?}: {message}"
                );
                assert_eq!(message["error"]["data"]["uri"], uri, "{method}: {message}");
                assert_eq!(message["id"], "me");
            }
            session.is_well().await.unwrap();
        }
    }
}

/// A tool's wrong arguments are a result that a model can learn from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_arguments_are_tool_errors_that_name_the_field() {
    let bench = Bench::of(&REVISIONS).await;
    let wrong = [
        ("echo", json!({}), "message"),
        ("echo", json!({ "message": 1 }), "message"),
        ("echo", json!({ "message": null }), "message"),
        ("echo", json!({ "message": "x", "more": 1 }), "more"),
        ("add", json!({ "a": 1 }), "b"),
        ("add", json!({ "a": "1", "b": 2 }), "a"),
        ("add", json!({ "a": true, "b": 2 }), "a"),
        ("longRunningOperation", json!({ "duration": -1 }), "duration"),
        ("longRunningOperation", json!({ "duration": 1e9 }), "duration"),
        ("longRunningOperation", json!({ "steps": 0 }), "steps"),
        ("longRunningOperation", json!({ "steps": 1.5 }), "steps"),
        ("longRunningOperation", json!({ "steps": 1_000_000_000 }), "steps"),
        ("sampleLLM", json!({}), "prompt"),
        (
            "sampleLLM",
            json!({ "prompt": "x", "maxTokens": -1 }),
            "maxTokens",
        ),
        ("annotatedMessage", json!({}), "messageType"),
        (
            "annotatedMessage",
            json!({ "messageType": "loud" }),
            "messageType",
        ),
        (
            "annotatedMessage",
            json!({ "messageType": "error", "includeImage": "yes" }),
            "includeImage",
        ),
        ("getResourceReference", json!({ "resourceId": 0 }), "resourceId"),
        ("getResourceReference", json!({ "resourceId": 101 }), "resourceId"),
        ("getResourceReference", json!({ "resourceId": 1.5 }), "resourceId"),
        ("getResourceLinks", json!({ "count": -1 }), "count"),
        ("getResourceLinks", json!({ "count": 1_000_000 }), "count"),
        ("getStructuredContent", json!({}), "location"),
        ("getStructuredContent", json!({ "location": {} }), "location"),
        ("getTinyImage", json!({ "x": 1 }), "x"),
    ];
    for session in &bench.sessions {
        for (tool, arguments, field) in &wrong {
            let message = session
                .send(session.tool("me", tool, arguments.clone()))
                .await
                .message();
            let text = message["result"]["content"][0]["text"]
                .as_str()
                .unwrap_or_default();
            assert_eq!(
                message["result"]["isError"], true,
                "{tool} {arguments}: {message}"
            );
            assert!(text.contains(field), "{tool} {arguments}: {message}");
            session.is_well().await.unwrap();
        }
    }
}
