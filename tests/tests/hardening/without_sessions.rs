//! Bad requests of 2026-07-28, which has no sessions: each must say everything itself, twice, and not contradict itself.

use http::Method;
use serde_json::{Value, json};
use system_tests::Stack;

use super::{
    faults::token,
    table::{Bench, Row, check},
    wire::{NEWEST, Request, Session},
};

pub const VERSION: &str = "2026-07-28";

const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const HEADER_MISMATCH: i64 = -32020;
const UNSUPPORTED_VERSION: i64 = -32022;

/// A request as a good client sends it, in no session.
pub fn request(client: &Session, id: &str, method: &str, mut params: Value) -> Request {
    let name = ["name", "uri"].iter().find_map(|name| params[*name].as_str());
    let name = name.map(str::to_owned);
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientInfo": { "name": "hardening", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": { "sampling": {}, "elicitation": { "form": {} }, "roots": {} },
    });
    let request = client
        .call(id, method, params)
        .without("mcp-session-id")
        .with("mcp-protocol-version", VERSION)
        .with("mcp-method", method);
    match name {
        Some(name) => request.with("mcp-name", name),
        None => request,
    }
}

fn echo(client: &Session) -> Request {
    request(
        client,
        "me",
        "tools/call",
        json!({ "name": "echo", "arguments": { "message": "x" } }),
    )
}

/// The same request with a member of its body set.
fn with(mut request: Request, pointer: &str, value: Value) -> Request {
    let mut body = request.body.json();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    // `/` is part of the names in `_meta`.
    body.pointer_mut(parent).unwrap()[name.replace("~1", "/")] = value;
    request.body = super::wire::Body::Whole(body.to_string().into_bytes());
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_request_does_not_say_of_itself_is_named() {
    let bench = Bench::of(&[NEWEST]).await;
    let client = &bench.sessions[0];
    assert_eq!(client.send(echo(client)).await.status, 200);
    let bad = |name: &str, pointer: &str, value: Value, word: &str| {
        Row::new(name, with(echo(client), pointer, value)).gets_error("me", 400, INVALID_PARAMS, word)
    };
    let meta = |name: &str| format!("/params/_meta/io.modelcontextprotocol~1{name}");
    let rows = vec![
        bad("no _meta", "/params/_meta", Value::Null, "_meta"),
        bad("_meta a list", "/params/_meta", json!([]), "_meta"),
        bad("_meta empty", "/params/_meta", json!({}), "protocolVersion"),
        bad(
            "the version a number",
            &meta("protocolVersion"),
            json!(1),
            "protocolVersion",
        ),
        bad(
            "capabilities null",
            &meta("clientCapabilities"),
            Value::Null,
            "clientCapabilities",
        ),
        bad(
            "capabilities text",
            &meta("clientCapabilities"),
            json!("all"),
            "clientCapabilities",
        ),
        bad("the client a list", &meta("clientInfo"), json!([]), "clientInfo"),
        bad(
            "a level that is none",
            &meta("logLevel"),
            json!("loud"),
            "logLevel",
        ),
        bad(
            "a state that is a number",
            "/params/requestState",
            json!(1),
            "requestState",
        ),
        bad(
            "a state from nowhere",
            "/params/requestState",
            json!("AAAA"),
            "requestState",
        ),
        bad(
            "a long state",
            "/params/requestState",
            json!("A".repeat(2_000_000)),
            "requestState",
        ),
        bad(
            "answers that are a list",
            "/params/inputResponses",
            json!([]),
            "inputResponses",
        ),
        bad("a name that is a number", "/params/name", json!(1), "name"),
    ];
    check(client, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_contradict_the_body_are_refused() {
    let bench = Bench::of(&[NEWEST]).await;
    let client = &bench.sessions[0];
    let bad = |name: &str, request: Request, word: &str| {
        Row::new(name, request).gets_error("me", 400, HEADER_MISMATCH, word)
    };
    let rows = vec![
        bad(
            "another method",
            echo(client).with("mcp-method", "tools/list"),
            "Mcp-Method",
        ),
        bad("no method", echo(client).without("mcp-method"), "Mcp-Method"),
        bad(
            "two methods",
            echo(client).and("mcp-method", "tools/call"),
            "Mcp-Method",
        ),
        bad("another name", echo(client).with("mcp-name", "add"), "Mcp-Name"),
        bad("no name", echo(client).without("mcp-name"), "Mcp-Name"),
        bad(
            "a name that is no text",
            echo(client).with("mcp-name", b"\xff"),
            "Mcp-Name",
        ),
        bad(
            "no version",
            echo(client).without("mcp-protocol-version"),
            "MCP-Protocol-Version",
        ),
        bad(
            "another version",
            echo(client).with("mcp-protocol-version", "2099-01-01"),
            "MCP-Protocol-Version",
        ),
        bad(
            "two versions",
            echo(client).and("mcp-protocol-version", VERSION),
            "MCP-Protocol-Version",
        ),
        Row::new(
            "a version that is not served",
            with(
                echo(client).with("mcp-protocol-version", "2099-01-01"),
                "/params/_meta/io.modelcontextprotocol~1protocolVersion",
                json!("2099-01-01"),
            ),
        )
        .gets_error("me", 400, UNSUPPORTED_VERSION, "version"),
    ];
    check(client, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_this_revision_does_not_have_is_not_there() {
    let bench = Bench::of(&[NEWEST]).await;
    let client = &bench.sessions[0];
    let mut rows: Vec<_> = [
        "ping",
        "initialize",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "nothing",
    ]
    .into_iter()
    .map(|method| {
        Row::new(method, request(client, "me", method, json!({}))).gets_error(
            "me",
            404,
            METHOD_NOT_FOUND,
            method,
        )
    })
    .collect();
    let plain = |body: &str| {
        client
            .post(body)
            .without("mcp-session-id")
            .with("mcp-protocol-version", VERSION)
    };
    rows.push(
        Row::new(
            "a response",
            plain(r#"{"jsonrpc":"2.0","id":"srv-1","result":{}}"#),
        )
        .gets_refused(400, INVALID_REQUEST, "respond"),
    );
    rows.push(
        Row::new(
            "a batch",
            plain(r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]"#),
        )
        .gets_refused(400, INVALID_REQUEST, "batch"),
    );
    rows.push(Row::new("half", plain("{")).gets_refused(400, -32700, "JSON"));
    rows.push(
        Row::new(
            "an id that is null",
            plain(r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#),
        )
        .gets_refused(400, INVALID_REQUEST, "id"),
    );
    check(client, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_are_refused_as_on_every_revision() {
    let bench = Bench::of(&[NEWEST]).await;
    let client = &bench.sessions[0];
    let listen = |notifications: Value| {
        request(
            client,
            "me",
            "subscriptions/listen",
            json!({ "notifications": notifications }),
        )
    };
    let row = |name: &str, request: Request, status: u16, word: &str| {
        Row::new(name, request).gets_error("me", status, INVALID_PARAMS, word)
    };
    let call = |method: &str, params: Value| request(client, "me", method, params);
    let rows = vec![
        row(
            "a cursor that is none",
            call("tools/list", json!({ "cursor": "x" })),
            200,
            "cursor",
        ),
        row(
            "a cursor that is a number",
            call("tools/list", json!({ "cursor": 1 })),
            400,
            "cursor",
        ),
        row(
            "an unknown tool",
            call("tools/call", json!({ "name": "nothing" })),
            200,
            "nothing",
        ),
        row(
            "an unknown prompt",
            call("prompts/get", json!({ "name": "nothing" })),
            200,
            "nothing",
        ),
        row(
            "an unknown resource",
            call("resources/read", json!({ "uri": "x://y" })),
            200,
            "resource",
        ),
        row(
            "arguments that are a list",
            call("tools/call", json!({ "name": "echo", "arguments": [] })),
            400,
            "arguments",
        ),
        row(
            "nothing to listen to",
            call("subscriptions/listen", json!({})),
            400,
            "notifications",
        ),
        row("a list to listen to", listen(json!([])), 400, "notifications"),
        row(
            "a word to listen to",
            listen(json!({ "toolsListChanged": "yes" })),
            400,
            "toolsListChanged",
        ),
        row(
            "resources that are text",
            listen(json!({ "resourceSubscriptions": "x" })),
            400,
            "resourceSubscriptions",
        ),
        row(
            "too many resources",
            listen(json!({ "resourceSubscriptions": vec!["x://y"; 1_000] })),
            400,
            "resourceSubscriptions",
        ),
    ];
    check(client, rows).await;
}

/// A call's state is its caller's: for anybody else, for another call, or changed, it is as good as none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_is_its_callers_and_its_calls_alone() {
    let stack = Stack::builder()
        .in_process()
        .redis()
        .edges(1)
        .start()
        .await
        .unwrap();
    let origin = stack.edge_url(0, "");
    let alice = Session::begin(&origin, Some(&token(&stack, "alice").await), NEWEST).await;
    let bob = Session::begin(&origin, Some(&token(&stack, "bob").await), NEWEST).await;
    let ask = |client: &Session, prompt: &str| {
        request(
            client,
            "me",
            "tools/call",
            json!({ "name": "sampleLLM", "arguments": { "prompt": prompt } }),
        )
    };
    let asked = alice.send(ask(&alice, "hers")).await.message();
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    let state = asked["result"]["requestState"].as_str().unwrap().to_owned();
    let key = asked["result"]["inputRequests"]
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap()
        .clone();
    let answer =
        json!({ key: { "role": "assistant", "model": "m", "content": { "type": "text", "text": "said" } } });
    let answered = |request: Request, state: &str| {
        with(
            with(request, "/params/requestState", json!(state)),
            "/params/inputResponses",
            answer.clone(),
        )
    };
    let mut changed = state.clone().into_bytes();
    changed[30] = if changed[30] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();

    let forged = bob.send(answered(ask(&bob, "hers"), &changed)).await;
    assert_eq!(
        (forged.status, &forged.message()["error"]["code"]),
        (400, &json!(INVALID_PARAMS)),
        "{forged:?}"
    );
    for (client, bad) in [
        (&bob, answered(ask(&bob, "hers"), &state)),
        (&alice, answered(ask(&alice, "other"), &state)),
        (&alice, answered(ask(&alice, "hers"), &changed)),
    ] {
        let refused = client.send(bad).await;
        let error = &refused.message()["error"];
        assert_eq!(
            (refused.status, &error["code"]),
            (400, &json!(INVALID_PARAMS)),
            "{refused:?}"
        );
        assert!(
            !refused.text().contains("said") && !refused.text().contains("alice"),
            "{refused:?}"
        );
    }
    let done = alice.send(answered(ask(&alice, "hers"), &state)).await.message();
    let text = done["result"]["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("said"), "{done}");
    // A session's id opens nothing here.
    let with_session = bob.send(echo(&bob).with("mcp-session-id", &alice.id)).await;
    let without = bob.send(echo(&bob)).await;
    assert_eq!(with_session.essence(), without.essence());
    let delete = bob
        .request(Method::DELETE, "/mcp")
        .with("mcp-session-id", &alice.id);
    assert_eq!(
        bob.send(delete.with("mcp-protocol-version", VERSION))
            .await
            .status,
        404
    );
    alice.is_well().await.unwrap();
}
