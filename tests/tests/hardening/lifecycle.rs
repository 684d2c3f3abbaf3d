//! Sessions that have not begun, begin twice, or begin wrongly.

use http::Method;
use serde_json::{Value, json};

use super::{
    table::{Bench, Row, check},
    wire::{NEWEST, REVISIONS},
};

const INVALID_REQUEST: i64 = -32600;
const INVALID_PARAMS: i64 = -32602;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_before_initialize() {
    let bench = Bench::of(&[NEWEST]).await;
    let session = &bench.sessions[0];
    let nowhere = session.named("");
    let mut rows: Vec<_> = [
        "ping",
        "tools/list",
        "tools/call",
        "resources/list",
        "logging/setLevel",
        "nothing",
    ]
    .into_iter()
    .map(|method| {
        Row::new(method, nowhere.call(7, method, json!({}))).gets_error(7, 400, INVALID_REQUEST, "initialize")
    })
    .collect();
    let notification = nowhere.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    rows.push(Row::new("a notification", notification).gets_refused(400, INVALID_REQUEST, "initialize"));
    let response = nowhere.post(r#"{"jsonrpc":"2.0","id":"srv-1","result":{}}"#);
    rows.push(Row::new("a response", response).gets_refused(400, INVALID_REQUEST, "initialize"));
    let get = nowhere.request(Method::GET, "/mcp");
    rows.push(Row::new("GET", get).gets_refused(400, INVALID_REQUEST, "Mcp-Session-Id"));
    let delete = nowhere.request(Method::DELETE, "/mcp");
    rows.push(Row::new("DELETE", delete).gets_refused(400, INVALID_REQUEST, "Mcp-Session-Id"));
    check(session, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_begins_once() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        let again = session.initialize().with("mcp-session-id", &session.id);
        let rows = vec![Row::new("initialize in a session", again).gets_error(
            "begin",
            400,
            INVALID_REQUEST,
            "begun",
        )];
        check(session, rows).await;
        // Without the session's id it is the beginning of another.
        let other = session.send(session.initialize()).await;
        assert_ne!(other.header("mcp-session-id").unwrap(), session.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_initialize_lacks_is_named() {
    let bench = Bench::of(&[NEWEST]).await;
    let session = &bench.sessions[0];
    let good = json!({
        "protocolVersion": NEWEST,
        "capabilities": {},
        "clientInfo": { "name": "n", "version": "1" },
    });
    let with = |pointer: &str, value: Value| {
        let mut params = good.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        params.pointer_mut(parent).unwrap()[name] = value;
        params
    };
    let without = |parent: &str, name: &str| {
        let mut params = good.clone();
        params
            .pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(name);
        params
    };
    let long = "x".repeat(100_000);
    let bad = [
        ("nothing", json!({}), "protocolVersion"),
        ("no version", without("", "protocolVersion"), "protocolVersion"),
        ("no capabilities", without("", "capabilities"), "capabilities"),
        ("no client", without("", "clientInfo"), "clientInfo"),
        (
            "a client without a name",
            without("/clientInfo", "name"),
            "clientInfo.name",
        ),
        (
            "a client without a version",
            without("/clientInfo", "version"),
            "clientInfo.version",
        ),
        (
            "a version that is a number",
            with("/protocolVersion", json!(2025)),
            "protocolVersion",
        ),
        (
            "a version that is null",
            with("/protocolVersion", Value::Null),
            "protocolVersion",
        ),
        (
            "a long version",
            with("/protocolVersion", json!(long)),
            "protocolVersion",
        ),
        (
            "capabilities that are a list",
            with("/capabilities", json!([])),
            "capabilities",
        ),
        (
            "a capability that is true",
            with("/capabilities/sampling", json!(true)),
            "capabilities.sampling",
        ),
        (
            "a capability that is a list",
            with("/capabilities/roots", json!([1])),
            "capabilities.roots",
        ),
        (
            "many capabilities",
            with("/capabilities/experimental", json!({ "x": long })),
            "capabilities",
        ),
        (
            "a client that is text",
            with("/clientInfo", json!("me")),
            "clientInfo",
        ),
        (
            "a name that is a number",
            with("/clientInfo/name", json!(1)),
            "clientInfo.name",
        ),
        ("a long name", with("/clientInfo/name", json!(long)), "clientInfo"),
    ];
    let rows = bad
        .into_iter()
        .map(|(name, params, word)| {
            let request = session
                .call("begin", "initialize", params)
                .without("mcp-session-id");
            Row::new(name, request.without("mcp-protocol-version")).gets_error(
                "begin",
                200,
                INVALID_PARAMS,
                word,
            )
        })
        .collect();
    check(session, rows).await;
}

/// An answer that refuses names no session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beginning_that_fails_leaves_no_session() {
    let bench = Bench::of(&[NEWEST]).await;
    let session = &bench.sessions[0];
    let bad = session.call(1, "initialize", json!({})).without("mcp-session-id");
    assert_eq!(session.send(bad).await.header("mcp-session-id"), None);
}

/// "Version Negotiation": an unknown revision is answered by one that is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_revisions_are_negotiated() {
    let bench = Bench::of(&[NEWEST]).await;
    let session = &bench.sessions[0];
    for version in ["1999-01-01", "", "2025-11-26", "2099-12-31", "latest", "\u{0}"] {
        let params = json!({
            "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "n", "version": "1" },
        });
        let request = session.call(1, "initialize", params).without("mcp-session-id");
        let answer = session.send(request.without("mcp-protocol-version")).await;
        assert_eq!(
            answer.message()["result"]["protocolVersion"],
            NEWEST,
            "{version:?}"
        );
    }
}

/// After DELETE nothing of the session is left, and it looks as if it had never been.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_session_is_unknown() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        let unknown = session.named(super::wire::UNKNOWN_SESSION);
        let delete = |session: &super::wire::Session| session.request(Method::DELETE, "/mcp");
        assert_eq!(session.send(delete(session)).await.status, 204);
        for request in [
            |session: &super::wire::Session| session.call(1, "ping", json!({})),
            |session: &super::wire::Session| session.request(Method::GET, "/mcp"),
            |session: &super::wire::Session| session.request(Method::DELETE, "/mcp"),
        ] {
            let (deleted, never) = (
                session.send(request(session)).await,
                session.send(request(&unknown)).await,
            );
            assert_eq!(deleted.status, 404, "{deleted:?}");
            assert_eq!(deleted.essence(), never.essence());
        }
    }
}
