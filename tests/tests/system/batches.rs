//! JSON-RPC batches, which exist in 2025-03-26 only.

use serde_json::{Value, json};

use super::world::{World, long_running, on_both_stores, progress, text};

on_both_stores!(
    a_batch_is_answered_by_one_json_array,
    a_batch_becomes_a_stream_when_one_of_it_says_something_first,
    a_batch_without_requests_is_accepted,
    a_batch_must_not_hold_initialize,
    a_batch_has_each_id_once,
    other_revisions_have_no_batches,
);

fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

fn echo(id: impl Into<Value>, message: &str) -> Value {
    request(id, "tools/call", super::world::echo(message))
}

/// The answer to this id.
fn answer<'a>(answers: &'a [Value], id: &Value) -> &'a Value {
    let mut found = answers
        .iter()
        .filter(|answer| answer["id"] == *id && answer.get("method").is_none());
    let first = found
        .next()
        .unwrap_or_else(|| panic!("no answer to {id} in {answers:?}"));
    assert!(found.next().is_none(), "two answers to {id}");
    first
}

async fn a_batch_is_answered_by_one_json_array(world: World) {
    let client = world.client_of("2025-03-26", json!({})).await;
    let batch = json!([
        echo(1, "one"),
        {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"},
        echo("two", "two"),
        request(3, "no/such/method", json!({})),
        {"jsonrpc": "2.0", "id": 4},
    ]);
    let response = client.post(&batch).await.unwrap();
    assert_eq!((response.status, response.is_stream()), (200, false));
    let answers = response.json().as_array().unwrap().clone();
    assert_eq!(answers.len(), 4, "{answers:?}");
    assert_eq!(text(&answer(&answers, &json!(1))["result"]), "Echo: one");
    assert_eq!(text(&answer(&answers, &json!("two"))["result"]), "Echo: two");
    assert_eq!(answer(&answers, &json!(3))["error"]["code"], -32601);
    assert_eq!(answer(&answers, &json!(4))["error"]["code"], -32600);
    // A batch of one is answered by an array all the same.
    let response = client.post(&json!([echo(5, "five")])).await.unwrap();
    assert_eq!(response.json().as_array().unwrap().len(), 1);
}

async fn a_batch_becomes_a_stream_when_one_of_it_says_something_first(world: World) {
    let client = world.client_of("2025-03-26", json!({})).await;
    let batch = json!([
        echo(1, "one"),
        request(2, "tools/call", long_running(0.1, 3)),
        echo(3, "three")
    ]);
    let mut stream = client.open_post(&batch).await.unwrap();
    let first = stream.message_event().await;
    let messages = [vec![first.json()], stream.messages().await].concat();
    assert_eq!(progress(&messages), [1, 2, 3]);
    assert_eq!(text(&answer(&messages, &json!(1))["result"]), "Echo: one");
    assert_eq!(text(&answer(&messages, &json!(3))["result"]), "Echo: three");
    assert!(answer(&messages, &json!(2))["result"].is_object());
    assert_eq!(messages.len(), 6);
    // All of it can be had again, from the other edge.
    let again = world
        .elsewhere(&client)
        .get(first.id.as_deref())
        .await
        .unwrap()
        .messages()
        .await;
    assert_eq!(again, messages[1..]);
}

async fn a_batch_without_requests_is_accepted(world: World) {
    let client = world.client_of("2025-03-26", json!({})).await;
    let batch = json!([
        {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"},
        {"jsonrpc": "2.0", "id": "never asked", "result": {}},
    ]);
    let response = client.post(&batch).await.unwrap();
    assert_eq!((response.status, response.text().as_str()), (202, ""));
    let response = client.post(&json!([])).await.unwrap();
    assert_eq!((response.status, response.error_code()), (400, -32600));
}

async fn a_batch_must_not_hold_initialize(world: World) {
    let client = world.client_of("2025-03-26", json!({})).await;
    let initialize = json!({
        "protocolVersion": "2025-03-26",
        "capabilities": {},
        "clientInfo": {"name": "system tests", "version": "1"},
    });
    let batch = json!([request(1, "initialize", initialize), echo(2, "two")]);
    let answers = client.post(&batch).await.unwrap().messages();
    assert_eq!(answer(&answers, &json!(1))["error"]["code"], -32600);
    assert_eq!(text(&answer(&answers, &json!(2))["result"]), "Echo: two");
    // Without a session it begins none.
    let response = client.with_session(None).post(&batch).await.unwrap();
    assert_eq!((response.status, response.header("mcp-session-id")), (400, None));
}

async fn a_batch_has_each_id_once(world: World) {
    let client = world.client_of("2025-03-26", json!({})).await;
    let slow = |id: i64| {
        request(
            id,
            "tools/call",
            json!({"name": "longRunningOperation", "arguments": {"duration": 0.3, "steps": 1}}),
        )
    };
    let answers = client
        .post(&json!([slow(1), slow(1), slow(2)]))
        .await
        .unwrap()
        .messages();
    assert_eq!(answers.len(), 3);
    let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.get("result").is_some());
    assert_eq!((done.len(), refused.len()), (2, 1));
    assert_eq!(
        (&refused[0]["id"], &refused[0]["error"]["code"]),
        (&json!(1), &json!(-32600))
    );
}

async fn other_revisions_have_no_batches(world: World) {
    for revision in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let client = world.client_of(revision, json!({})).await;
        let response = client.post(&json!([echo(1, "one")])).await.unwrap();
        if revision == "2024-11-05" {
            // JSON-RPC 2.0 as it is: that revision forbids them no more than it mentions them.
            continue;
        }
        assert_eq!(
            (response.status, response.error_code()),
            (400, -32600),
            "{revision}"
        );
    }
}
