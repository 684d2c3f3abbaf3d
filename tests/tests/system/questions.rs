//! The server asks the client: sampling, elicitation, roots. The answer may come in at any edge.

use std::collections::HashSet;

use futures::future::join_all;
use serde_json::{Value, json};
use system_tests::client::{McpClient, SseStream};

use super::world::{NEWEST, World, echo, on_both_stores, text};

on_both_stores!(
    sampling_is_answered_at_the_other_edge,
    a_form_is_filled_in,
    a_form_can_be_declined_and_cancelled,
    a_url_is_visited,
    roots_are_listed,
    a_client_that_cannot_be_asked_is_not_asked,
    older_revisions_are_asked_only_what_they_have,
    a_client_may_refuse,
    an_answer_to_something_else_is_a_clear_error,
    questions_of_several_calls_do_not_mix,
    only_the_first_answer_counts,
);

fn everything() -> Value {
    json!({"sampling": {}, "elicitation": {"form": {}, "url": {}}, "roots": {"listChanged": true}})
}

fn tool(name: &str, arguments: Value) -> Value {
    json!({"name": name, "arguments": arguments})
}

fn sampled(text: &str) -> Value {
    json!({
        "role": "assistant",
        "model": "a model",
        "stopReason": "endTurn",
        "content": {"type": "text", "text": text},
    })
}

/// Opens the call and returns its stream and the question on it.
async fn asked(client: &McpClient, call: Value, method: &str) -> (SseStream, Value) {
    let mut stream = client.open("tools/call", call).await.unwrap();
    let question = stream.message().await;
    assert_eq!(
        (&question["jsonrpc"], &question["method"]),
        (&json!("2.0"), &json!(method))
    );
    (stream, question)
}

/// The result at the end of the call's stream, on which nothing else is left.
async fn result(mut stream: SseStream) -> Result<Value, Value> {
    let mut messages = stream.messages().await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    match messages[0].get_mut("error") {
        Some(error) => Err(error.take()),
        None => Ok(messages[0]["result"].take()),
    }
}

async fn answered(client: &McpClient, question: &Value, answer: Value) {
    let response = client.respond(&question["id"], answer).await.unwrap();
    assert_eq!((response.status, response.text().as_str()), (202, ""));
}

async fn sampling_is_answered_at_the_other_edge(world: World) {
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let client = world.client_of(revision, everything()).await;
        let call = tool("sampleLLM", json!({"prompt": "hello", "maxTokens": 7}));
        let (stream, question) = asked(&client, call, "sampling/createMessage").await;
        assert_eq!(question["params"]["maxTokens"], 7);
        assert_eq!(
            question["params"]["messages"][0]["content"]["text"],
            "Resource sampleLLM context: hello"
        );
        answered(&world.elsewhere(&client), &question, sampled("hi")).await;
        assert_eq!(text(&result(stream).await.unwrap()), "LLM sampling result: hi");
    }
}

async fn a_form_is_filled_in(world: World) {
    for revision in ["2025-06-18", "2025-11-25"] {
        let client = world.client_of(revision, everything()).await;
        let (stream, question) = asked(&client, tool("elicitInputs", json!({})), "elicitation/create").await;
        let schema = &question["params"]["requestedSchema"];
        assert_eq!(schema["type"], "object");
        let mut content = json!({});
        for (name, field) in schema["properties"].as_object().unwrap() {
            if let Some(value) = field.get("default") {
                content[name] = value.clone();
            }
        }
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if content.get(name).is_none() {
                content[name] = example(&schema["properties"][name]);
            }
        }
        answered(
            &world.elsewhere(&client),
            &question,
            json!({"action": "accept", "content": content}),
        )
        .await;
        let result = result(stream).await.unwrap();
        assert_eq!(
            result.get("isError").unwrap_or(&json!(false)),
            &json!(false),
            "{result}"
        );
        assert!(
            text(&result).starts_with("User provided the requested information"),
            "{result}"
        );
    }
}

/// A value that the field takes.
fn example(field: &Value) -> Value {
    match (field["type"].as_str(), field["format"].as_str()) {
        (Some("integer" | "number"), _) => field.get("minimum").cloned().unwrap_or(json!(1)),
        (Some("boolean"), _) => json!(true),
        (_, Some("email")) => json!("alice@example.com"),
        (_, Some("uri")) => json!("https://example.com/"),
        (_, Some("date")) => json!("2026-01-31"),
        (_, Some("date-time")) => json!("2026-01-31T12:00:00Z"),
        _ => match (&field["enum"][0], &field["oneOf"][0]["const"]) {
            (Value::Null, Value::Null) => json!("Alice"),
            (Value::Null, choice) | (choice, _) => choice.clone(),
        },
    }
}

async fn a_form_can_be_declined_and_cancelled(world: World) {
    let client = world.client_of(NEWEST, everything()).await;
    for (action, says) in [
        ("decline", "User declined to provide the requested information."),
        ("cancel", "User cancelled the elicitation dialog."),
    ] {
        let (stream, question) = asked(&client, tool("elicitInputs", json!({})), "elicitation/create").await;
        answered(&client, &question, json!({"action": action})).await;
        assert_eq!(text(&result(stream).await.unwrap()), says);
    }
}

async fn a_url_is_visited(world: World) {
    let client = world.client_of(NEWEST, everything()).await;
    let call = tool("elicitUrl", json!({"url": "https://example.com/here"}));
    let (stream, question) = asked(&client, call, "elicitation/create").await;
    assert_eq!(question["params"]["mode"], "url");
    assert_eq!(question["params"]["url"], "https://example.com/here");
    assert!(question["params"]["elicitationId"].is_string());
    answered(&world.elsewhere(&client), &question, json!({"action": "accept"})).await;
    assert_eq!(
        text(&result(stream).await.unwrap()),
        "User agreed to open https://example.com/here."
    );
}

async fn roots_are_listed(world: World) {
    for revision in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let client = world.client_of(revision, everything()).await;
        for roots in [
            json!([]),
            json!([{"uri": "file:///a", "name": "a"}, {"uri": "file:///b"}]),
        ] {
            let (stream, question) = asked(&client, tool("getRoots", json!({})), "roots/list").await;
            answered(&world.elsewhere(&client), &question, json!({"roots": roots})).await;
            let result = result(stream).await.unwrap();
            for root in roots.as_array().unwrap() {
                assert!(text(&result).contains(root["uri"].as_str().unwrap()), "{result}");
            }
            // They may change; nobody minds being told.
            assert_eq!(
                client
                    .notify("notifications/roots/list_changed", json!({}))
                    .await
                    .unwrap()
                    .status,
                202
            );
        }
    }
}

async fn a_client_that_cannot_be_asked_is_not_asked(world: World) {
    let calls = [
        (
            "sampleLLM",
            json!({"prompt": "hello"}),
            json!({"elicitation": {"form": {}, "url": {}}, "roots": {}}),
            "sampling",
        ),
        (
            "elicitInputs",
            json!({}),
            json!({"sampling": {}, "elicitation": {"url": {}}, "roots": {}}),
            "elicitation",
        ),
        (
            "elicitUrl",
            json!({}),
            json!({"sampling": {}, "elicitation": {"form": {}}, "roots": {}}),
            "elicitation.url",
        ),
        (
            "elicitUrl",
            json!({}),
            json!({"elicitation": {}}),
            "elicitation.url",
        ),
        (
            "getRoots",
            json!({}),
            json!({"sampling": {}, "elicitation": {"form": {}, "url": {}}}),
            "roots",
        ),
    ];
    for (name, arguments, capabilities, missing) in calls {
        let client = world.client_of(NEWEST, capabilities).await;
        let response = client.request("tools/call", tool(name, arguments)).await.unwrap();
        // Nothing preceded the answer, so nothing was asked.
        assert!(!response.is_stream(), "{name}: {}", response.text());
        let error = response.result().unwrap_err();
        assert!(
            error["message"].as_str().unwrap().contains(missing),
            "{name}: {error}"
        );
        assert!(error["code"].as_i64().unwrap() < 0);
    }
}

async fn older_revisions_are_asked_only_what_they_have(world: World) {
    for (revision, name) in [
        ("2024-11-05", "elicitInputs"),
        ("2025-03-26", "elicitInputs"),
        ("2025-03-26", "elicitUrl"),
        ("2025-06-18", "elicitUrl"),
    ] {
        // Whatever it declares.
        let client = world.client_of(revision, everything()).await;
        let response = client.request("tools/call", tool(name, json!({}))).await.unwrap();
        assert!(!response.is_stream(), "{revision} {name}: {}", response.text());
        let error = response.result().unwrap_err();
        assert!(
            error["message"].as_str().unwrap().contains("elicitation"),
            "{revision} {name}: {error}"
        );
    }
}

async fn a_client_may_refuse(world: World) {
    let client = world.client_of(NEWEST, everything()).await;
    let call = tool("sampleLLM", json!({"prompt": "hello"}));
    let (stream, question) = asked(&client, call, "sampling/createMessage").await;
    let refused = world
        .elsewhere(&client)
        .respond_error(&question["id"], -1, "User rejected sampling request")
        .await;
    assert_eq!(refused.unwrap().status, 202);
    let error = result(stream).await.unwrap_err();
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("User rejected sampling request"),
        "{error}"
    );
    assert_eq!(error["code"], -1);
}

async fn an_answer_to_something_else_is_a_clear_error(world: World) {
    let client = world.client_of(NEWEST, everything()).await;
    for (call, method, answer) in [
        (
            tool("sampleLLM", json!({"prompt": "hello"})),
            "sampling/createMessage",
            json!({"roots": []}),
        ),
        (
            tool("elicitInputs", json!({})),
            "elicitation/create",
            json!({"action": "shrug"}),
        ),
        (
            tool("getRoots", json!({})),
            "roots/list",
            json!({"roots": "everywhere"}),
        ),
        (
            tool("getRoots", json!({})),
            "roots/list",
            json!({"roots": [{"name": "no uri"}]}),
        ),
    ] {
        let (stream, question) = asked(&client, call, method).await;
        answered(&client, &question, answer).await;
        let outcome = result(stream).await;
        let said = match &outcome {
            Err(error) => error["message"].as_str().unwrap(),
            Ok(result) => {
                assert_eq!(result["isError"], true, "{result}");
                text(result)
            }
        };
        assert!(said.contains(method), "{said}");
    }
    assert!(client.call("tools/call", echo("still here")).await.is_ok());
}

async fn questions_of_several_calls_do_not_mix(world: World) {
    const CALLS: usize = 10;
    let client = world.client_of(NEWEST, everything()).await;
    let edges = [client.clone(), world.elsewhere(&client)];
    let calls = (0..CALLS).map(|number| {
        let client = &edges[number % 2];
        let call = tool("sampleLLM", json!({"prompt": format!("question {number}")}));
        async move { asked(client, call, "sampling/createMessage").await }
    });
    let mut open = join_all(calls).await;
    let ids: HashSet<String> = open
        .iter()
        .map(|(_, question)| question["id"].to_string())
        .collect();
    assert_eq!(ids.len(), CALLS);
    // Answered in the opposite order, each at the edge that did not ask.
    for (number, (_, question)) in open.iter().enumerate().rev() {
        let asked = &question["params"]["messages"][0]["content"]["text"];
        assert_eq!(
            asked,
            &json!(format!("Resource sampleLLM context: question {number}"))
        );
        answered(
            &edges[(number + 1) % 2],
            question,
            sampled(&format!("answer {number}")),
        )
        .await;
    }
    for (number, (stream, _)) in open.drain(..).enumerate() {
        let said = result(stream).await.unwrap();
        assert_eq!(text(&said), format!("LLM sampling result: answer {number}"));
    }
}

async fn only_the_first_answer_counts(world: World) {
    let client = world.client_of(NEWEST, everything()).await;
    let call = tool("sampleLLM", json!({"prompt": "hello"}));
    let (stream, question) = asked(&client, call, "sampling/createMessage").await;
    // Neither an answer to another question, nor one under another kind of id.
    answered(&client, &json!({"id": "srv-unknown"}), sampled("wrong")).await;
    answered(&client, &json!({"id": 1}), sampled("wrong")).await;
    answered(&world.elsewhere(&client), &question, sampled("first")).await;
    answered(&client, &question, sampled("second")).await;
    assert_eq!(text(&result(stream).await.unwrap()), "LLM sampling result: first");
    // Nor does a late answer find anything to do.
    answered(&client, &question, sampled("late")).await;
    assert!(client.call("ping", json!({})).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_nobody_answers_ends_in_a_clear_error() {
    let world = World::two_processes(&[("INPUT_TIMEOUT_SECS", "1")]).await;
    let client = world.client_of(NEWEST, everything()).await;
    let call = tool("sampleLLM", json!({"prompt": "hello"}));
    let (mut stream, question) = asked(&client, call, "sampling/createMessage").await;
    let messages = stream.messages().await;
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(messages[0]["method"], "notifications/cancelled");
    assert_eq!(messages[0]["params"]["requestId"], question["id"]);
    let message = messages[1]["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("sampling/createMessage") && message.contains("in time"),
        "{message}"
    );
    // Too late now.
    answered(&client, &question, sampled("late")).await;
    assert!(client.call("tools/call", echo("still here")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_to_a_client_that_went_away_ends_too() {
    let world = World::two_processes(&[("INPUT_TIMEOUT_SECS", "1")]).await;
    let client = world.client_of(NEWEST, everything()).await;
    let call = tool("sampleLLM", json!({"prompt": "hello"}));
    let mut stream = client.open("tools/call", call).await.unwrap();
    let cursor = stream.next().await.unwrap().id;
    drop(stream);
    let mut stream = world.elsewhere(&client).get(cursor.as_deref()).await.unwrap();
    let messages = stream.messages().await;
    let methods: Vec<_> = messages
        .iter()
        .map(|message| message["method"].as_str())
        .collect();
    assert_eq!(
        methods,
        [
            Some("sampling/createMessage"),
            Some("notifications/cancelled"),
            None
        ]
    );
    assert!(
        messages[2]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("in time")
    );
}
