//! Batches: where there are none, and what 2025-03-26 does with bad ones.

use serde_json::{Value, json};

use super::{
    table::{Bench, Row, check},
    wire::{REVISIONS, Session},
};

const INVALID_REQUEST: i64 = -32600;

fn pings(count: usize) -> String {
    let pings: Vec<_> = (0..count)
        .map(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }))
        .collect();
    Value::Array(pings).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_refused_where_there_are_none() {
    let bench = Bench::of(&["2024-11-05", "2025-06-18", "2025-11-25"]).await;
    for session in &bench.sessions {
        let rows = vec![
            Row::new("one", session.post(pings(1))).gets_refused(400, INVALID_REQUEST, "batch"),
            Row::new("two", session.post(pings(2))).gets_refused(400, INVALID_REQUEST, "batch"),
            Row::new(
                "a notification",
                session.post(r#"[{"jsonrpc":"2.0","method":"notifications/initialized"}]"#),
            )
            .gets_refused(400, INVALID_REQUEST, "batch"),
        ];
        check(session, rows).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_and_endless_batches_are_refused_by_every_revision() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        let rows = vec![
            Row::new("none", session.post("[]")).gets_refused(400, INVALID_REQUEST, "empty"),
            Row::new("none, spaced", session.post(" [ \n ] ")).gets_refused(400, INVALID_REQUEST, "empty"),
            Row::new("10,000", session.post(pings(10_000))).gets_refused(
                400,
                INVALID_REQUEST,
                "more than 100",
            ),
            Row::new("10,000 numbers", session.post(json!(vec![1; 10_000]).to_string())).gets_refused(
                400,
                INVALID_REQUEST,
                "more than 100",
            ),
        ];
        check(session, rows).await;
    }
}

async fn batch(session: &Session, messages: Value) -> (u16, Vec<Value>) {
    let answer = session.send(session.post(messages.to_string())).await;
    session.is_well().await.unwrap();
    match answer.status {
        200 => (200, answer.messages()),
        status => (status, Vec::new()),
    }
}

fn errors(messages: &[Value]) -> Vec<(Value, i64)> {
    let mut errors: Vec<_> = messages
        .iter()
        .filter_map(|message| Some((message["id"].clone(), message["error"]["code"].as_i64()?)))
        .collect();
    errors.sort_by_key(|(id, code)| (id.to_string(), *code));
    errors
}

/// JSON-RPC 2.0 section 6: each message of a batch is good or bad on its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_message_does_not_spoil_its_batch() {
    let bench = Bench::of(&["2025-03-26"]).await;
    let session = &bench.sessions[0];
    let messages = json!([
        { "jsonrpc": "2.0", "id": "good", "method": "ping" },
        1,
        [],
        { "jsonrpc": "1.0", "id": "old", "method": "ping" },
        { "jsonrpc": "2.0", "id": 1.5, "method": "ping" },
        { "jsonrpc": "2.0", "id": "unknown", "method": "nothing" },
        { "jsonrpc": "2.0", "id": "params", "method": "tools/call", "params": { "name": 1 } },
        { "jsonrpc": "2.0", "id": "begin", "method": "initialize", "params": {} },
        { "jsonrpc": "2.0", "method": "notifications/nothing" },
        { "jsonrpc": "2.0", "id": "echo", "method": "tools/call", "params": { "name": "echo", "arguments": { "message": "hi" } } },
    ]);
    let (status, answers) = batch(session, messages).await;
    assert_eq!(status, 200);
    assert_eq!(
        errors(&answers),
        [
            (json!("begin"), -32600),
            (json!("old"), -32600),
            (json!("params"), -32602),
            (json!("unknown"), -32601),
            (Value::Null, -32600),
            (Value::Null, -32600),
            (Value::Null, -32600),
        ]
    );
    let good: Vec<_> = answers
        .iter()
        .filter(|answer| answer.get("result").is_some())
        .collect();
    assert_eq!(good.len(), 2, "{answers:?}");
}

/// Reference failure 2: the same batch at once, and an id twice in one batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_twice_is_one_answer_and_one_clear_error() {
    let bench = Bench::of(&["2025-03-26"]).await;
    let session = &bench.sessions[0];
    let long = |id: i64| {
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": "longRunningOperation", "arguments": { "duration": 1, "steps": 1 } } })
    };
    let (_, answers) = batch(session, json!([long(1), long(1)])).await;
    assert_eq!(errors(&answers), [(json!(1), -32600)]);
    assert_eq!(answers.len(), 2, "{answers:?}");

    let messages = json!([long(1), long(2)]);
    let (one, two) = tokio::join!(batch(session, messages.clone()), batch(session, messages));
    let answers = [one.1, two.1].concat();
    assert_eq!(errors(&answers), [(json!(1), -32600), (json!(2), -32600)]);
    assert_eq!(answers.len(), 4, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_without_requests_is_only_accepted() {
    let bench = Bench::of(&["2025-03-26"]).await;
    let messages = json!([
        { "jsonrpc": "2.0", "method": "notifications/initialized" },
        { "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 5 } },
        { "jsonrpc": "2.0", "id": "srv-1", "result": {} },
    ]);
    assert_eq!(batch(&bench.sessions[0], messages).await, (202, Vec::new()));
}
