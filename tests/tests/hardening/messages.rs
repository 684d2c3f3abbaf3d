//! JSON that is no JSON-RPC message.

use serde_json::{Value, json};

use super::{
    table::{Bench, Row, check},
    wire::{NEWEST, REVISIONS, Session},
};

const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_is_refused_by_name_and_under_its_id() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        check(session, values_that_are_no_objects(session)).await;
        check(session, members_that_are_wrong(session)).await;
    }
}

fn values_that_are_no_objects(session: &Session) -> Vec<Row> {
    ["null", "true", "1", "-0.5e10", r#""ping""#]
        .into_iter()
        .map(|value| Row::new(value, session.post(value)).gets_refused(400, INVALID_REQUEST, "object"))
        .collect()
}

fn members_that_are_wrong(session: &Session) -> Vec<Row> {
    let bad = |name: &str, body: &str, word: &str| {
        Row::new(name, session.post(body)).gets_error("me", 400, INVALID_REQUEST, word)
    };
    vec![
        bad("no jsonrpc", r#"{"id":"me","method":"ping"}"#, "jsonrpc"),
        bad(
            "jsonrpc 1.0",
            r#"{"jsonrpc":"1.0","id":"me","method":"ping"}"#,
            "jsonrpc",
        ),
        bad(
            "jsonrpc as a number",
            r#"{"jsonrpc":2.0,"id":"me","method":"ping"}"#,
            "jsonrpc",
        ),
        bad(
            "jsonrpc null",
            r#"{"jsonrpc":null,"id":"me","method":"ping"}"#,
            "jsonrpc",
        ),
        bad(
            "neither method nor result",
            r#"{"jsonrpc":"2.0","id":"me"}"#,
            "method",
        ),
        bad(
            "a method that is a number",
            r#"{"jsonrpc":"2.0","id":"me","method":1}"#,
            "method",
        ),
        bad(
            "a method that is null",
            r#"{"jsonrpc":"2.0","id":"me","method":null}"#,
            "method",
        ),
        bad(
            "a method that is an array",
            r#"{"jsonrpc":"2.0","id":"me","method":["ping"]}"#,
            "method",
        ),
        bad(
            "an empty method",
            r#"{"jsonrpc":"2.0","id":"me","method":""}"#,
            "method",
        ),
        bad(
            "a method and a result",
            r#"{"jsonrpc":"2.0","id":"me","method":"ping","result":{}}"#,
            "result",
        ),
        bad(
            "a method and an error",
            r#"{"jsonrpc":"2.0","id":"me","method":"ping","error":{}}"#,
            "error",
        ),
        bad(
            "a result and an error",
            r#"{"jsonrpc":"2.0","id":"me","result":{},"error":{"code":1,"message":"no"}}"#,
            "not both",
        ),
        bad(
            "a result that is no object",
            r#"{"jsonrpc":"2.0","id":"me","result":1}"#,
            "result",
        ),
        bad(
            "an error that is text",
            r#"{"jsonrpc":"2.0","id":"me","error":"no"}"#,
            "error",
        ),
        bad(
            "an error without a code",
            r#"{"jsonrpc":"2.0","id":"me","error":{"message":"no"}}"#,
            "code",
        ),
        bad(
            "an error whose code is text",
            r#"{"jsonrpc":"2.0","id":"me","error":{"code":"1","message":"no"}}"#,
            "code",
        ),
        bad(
            "an error without a message",
            r#"{"jsonrpc":"2.0","id":"me","error":{"code":1}}"#,
            "message",
        ),
        bad(
            "params null",
            r#"{"jsonrpc":"2.0","id":"me","method":"ping","params":null}"#,
            "params",
        ),
        bad(
            "params a number",
            r#"{"jsonrpc":"2.0","id":"me","method":"ping","params":1}"#,
            "params",
        ),
        bad(
            "params text",
            r#"{"jsonrpc":"2.0","id":"me","method":"ping","params":"x"}"#,
            "params",
        ),
        bad(
            "params true",
            r#"{"jsonrpc":"2.0","id":"me","method":"ping","params":true}"#,
            "params",
        ),
        Row::new(
            "params an array",
            session.post(r#"{"jsonrpc":"2.0","id":"me","method":"ping","params":[]}"#),
        )
        .gets_error("me", 400, INVALID_PARAMS, "params"),
        bad(
            "two methods",
            r#"{"jsonrpc":"2.0","id":"me","method":"ping","method":"ping"}"#,
            "method",
        ),
        bad(
            "two params",
            r#"{"jsonrpc":"2.0","id":"me","method":"ping","params":{},"params":{}}"#,
            "params",
        ),
        bad(
            "two versions",
            r#"{"jsonrpc":"2.0","jsonrpc":"1.0","id":"me","method":"ping"}"#,
            "jsonrpc",
        ),
        bad(
            "one member by two spellings",
            r#"{"jsonrpc":"2.0","id":"me","method":"ping","m\u0065thod":"x"}"#,
            "method",
        ),
        // Which of the two was meant cannot be known.
        Row::new(
            "two ids",
            session.post(r#"{"jsonrpc":"2.0","id":"me","id":"you","method":"ping"}"#),
        )
        .gets_refused(400, INVALID_REQUEST, "id"),
        Row::new(
            "a response without an id",
            session.post(r#"{"jsonrpc":"2.0","result":{}}"#),
        )
        .gets_refused(400, INVALID_REQUEST, "id"),
        Row::new("an empty object", session.post("{}")).gets_refused(400, INVALID_REQUEST, "jsonrpc"),
        Row::new(
            "a member that nobody knows",
            session.post(r#"{"jsonrpc":"2.0","id":1,"method":"ping","x":[{}]}"#),
        )
        .is(200),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_are_strings_or_integers() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        let with = |id: &str| session.post(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#));
        let bad = [
            "null",
            "true",
            "1.5",
            "1.0",
            "1e3",
            "{}",
            "[]",
            "[1]",
            "9223372036854775808",
            "1e400",
            "-1e-7",
        ];
        let mut rows: Vec<_> = bad
            .into_iter()
            .map(|id| Row::new(format!("id {id}"), with(id)).gets_refused(400, INVALID_REQUEST, "id"))
            .collect();
        let long = json!("x".repeat(1_000_000)).to_string();
        rows.push(Row::new("a huge id", with(&long)).gets_refused(400, INVALID_REQUEST, "id"));
        rows.push(
            Row::new("a huge number", with(&"9".repeat(100_000))).gets_refused(400, INVALID_REQUEST, "id"),
        );
        check(session, rows).await;
        for good in [
            "0",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            r#""""#,
            r#""0""#,
            r#""é\u0000\"\\ 😀""#,
        ] {
            let answer = session.send(with(good)).await;
            let id: Value = serde_json::from_str(good).unwrap();
            assert_eq!(
                answer.message(),
                json!({ "jsonrpc": "2.0", "id": id, "result": {} }),
                "{good}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_methods_are_named() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        let unknown = [
            "nothing",
            "Ping",
            "ping ",
            "tools/",
            "tools/list/",
            "rpc.discover",
            "__proto__",
            "../ping",
            // Of the server, or of another revision.
            "sampling/createMessage",
            "roots/list",
            "elicitation/create",
            "server/discover",
            // A notification that wants an answer.
            "notifications/initialized",
        ];
        let rows = unknown
            .into_iter()
            .map(|method| {
                let request = session.call("me", method, json!({}));
                Row::new(method, request).gets_error("me", 200, METHOD_NOT_FOUND, method.trim())
            })
            .chain([
                Row::new("a long one", session.call("me", &"m".repeat(100_000), json!({}))).gets_error(
                    "me",
                    200,
                    METHOD_NOT_FOUND,
                    "mmm…",
                ),
                Row::new(
                    "control characters",
                    session.call("me", "a\r\n\u{1b}[31m", json!({})),
                )
                .gets_error("me", 200, METHOD_NOT_FOUND, "\u{fffd}[31m"),
            ])
            .collect();
        check(session, rows).await;
    }
}

/// Nothing answers a notification, however bad, nor a response that nobody waits for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_wants_no_answer_gets_none() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        let silent = [
            r#"{"jsonrpc":"2.0","method":"notifications/nothing"}"#,
            r#"{"jsonrpc":"2.0","method":"ping"}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}"#,
            r#"{"jsonrpc":"2.0","method":"initialize"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":null}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1.5,"reason":[]}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"unknown"}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":{},"progress":"x"}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":"srv-00000000000000000000000000000000","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":"srv-1","error":{"code":-1,"message":"no","data":[1]}}"#,
        ];
        for body in silent {
            let answer = session.send(session.post(body)).await;
            assert_eq!((answer.status, answer.text().as_str()), (202, ""), "{body}");
            session.is_well().await.unwrap();
        }
    }
}

/// Reference failures 2 and 15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_in_flight_is_refused_and_the_call_goes_on() {
    let bench = Bench::of(&[NEWEST]).await;
    let session = &bench.sessions[0];
    let params = json!({ "name": "longRunningOperation", "arguments": { "duration": 1, "steps": 5 },
        "_meta": { "progressToken": 1 } });
    let mut running = session.open(session.call("once", "tools/call", params)).await;
    running
        .find(|message| message["method"] == "notifications/progress")
        .await;
    let again = || session.tool("once", "echo", json!({ "message": "again" }));
    let refused = session.send(again()).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let message = refused.message();
    assert_eq!(
        (&message["id"], &message["error"]["code"]),
        (&json!("once"), &json!(-32600))
    );
    assert!(
        message["error"]["message"]
            .as_str()
            .unwrap()
            .contains("in flight")
    );
    let ended = running.find(|message| message["id"] == "once").await;
    let text = ended["result"]["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("completed"), "the first call got {ended}");
    // Free again.
    let answer = session.send(again()).await;
    assert!(answer.text().contains("again"), "{answer:?}");
}
