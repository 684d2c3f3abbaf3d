//! Bad input on the 2024-11-05 transport: what HTTP answers, and what comes over the stream.

use http::Method;
use serde_json::{Value, json};
use system_tests::Stack;

use super::wire::{Answer, Events, NEWEST, Request, Session, UNKNOWN_SESSION, client};

struct Legacy {
    _stack: Stack,
    session: Session,
    events: Events,
    endpoint: String,
}

impl Legacy {
    async fn open() -> Self {
        let stack = Stack::builder()
            .in_process()
            .auth_disabled()
            .start()
            .await
            .unwrap();
        let session = Session {
            client: client(),
            origin: stack.edge_url(0, ""),
            token: None,
            id: String::new(),
            revision: "2024-11-05".to_owned(),
        };
        let mut events = session.open(session.request(Method::GET, "/sse")).await;
        let first = events.next().await.unwrap();
        assert_eq!(first.name.as_deref(), Some("endpoint"));
        Self {
            _stack: stack,
            session,
            events,
            endpoint: first.data,
        }
    }

    async fn begun() -> Self {
        let mut legacy = Self::open().await;
        let initialize = legacy.session.initialize();
        assert_eq!(legacy.post(initialize).await.status, 202);
        let begun = legacy.events.message().await.unwrap();
        assert_eq!(begun["result"]["protocolVersion"], "2024-11-05");
        legacy
    }

    async fn post(&self, request: Request) -> Answer {
        self.session.send(request.path(&self.endpoint)).await
    }

    /// Sends a request and returns what the stream says to it.
    async fn ask(&mut self, body: Value) -> Value {
        let answer = self.post(self.session.post(body.to_string())).await;
        assert_eq!(answer.status, 202, "{body}: {answer:?}");
        let id = body["id"].clone();
        self.events
            .find(|message| message["id"] == id && message.get("method").is_none())
            .await
    }

    async fn is_well(&mut self) {
        let pong = self
            .ask(json!({ "jsonrpc": "2.0", "id": "ping", "method": "ping" }))
            .await;
        assert_eq!(pong["result"], json!({}), "{pong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_bodies_are_refused_by_http_and_the_stream_lives() {
    let mut legacy = Legacy::begun().await;
    let bad: [(&[u8], u16, i64); 9] = [
        (b"", 400, -32700),
        (b"{", 400, -32700),
        (b"\xff", 400, -32700),
        (b"[]", 400, -32600),
        (br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, 400, -32600),
        (b"1", 400, -32600),
        (br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, 400, -32600),
        (br#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, 400, -32600),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
            400,
            -32602,
        ),
    ];
    for (body, status, code) in bad {
        let answer = legacy.post(legacy.session.post(body)).await;
        assert_eq!(answer.status, status, "{body:?}: {answer:?}");
        assert_eq!(answer.message()["error"]["code"], code, "{body:?}");
        legacy.is_well().await;
    }
    let form = legacy.session.post("{}").with("content-type", "text/plain");
    assert_eq!(legacy.post(form).await.status, 415);
    let large = legacy.session.post(vec![b' '; 5 * 1024 * 1024]);
    assert_eq!(legacy.post(large).await.status, 413);
    legacy.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_are_answered_on_the_stream() {
    let mut legacy = Legacy::begun().await;
    for (method, params, code) in [
        ("nothing", json!({}), -32601),
        ("tools/call", json!({}), -32602),
        ("tools/call", json!({ "name": "nothing" }), -32602),
        ("resources/read", json!({ "uri": "nothing" }), -32002),
        ("tools/list", json!({ "cursor": "x" }), -32602),
        ("initialize", json!({}), -32602),
        ("completion/complete", json!({}), -32602),
    ] {
        let answer = legacy
            .ask(json!({ "jsonrpc": "2.0", "id": method, "method": method, "params": params }))
            .await;
        assert_eq!(answer["error"]["code"], code, "{method}: {answer}");
        legacy.is_well().await;
    }
    let again = json!({ "jsonrpc": "2.0", "id": "again", "method": "initialize", "params": {
        "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": { "name": "n", "version": "1" } } });
    let answer = legacy.ask(again).await;
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    legacy.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_initialize_only_ping_is_answered() {
    let mut legacy = Legacy::open().await;
    legacy.is_well().await;
    let answer = legacy
        .ask(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }))
        .await;
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("initialize")
    );
    let silent = legacy
        .session
        .post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert_eq!(legacy.post(silent).await.status, 202);
    // A session that has not begun is not one of the other transport.
    let id = legacy.endpoint.split_once('=').unwrap().1.to_owned();
    let other = Session {
        id,
        revision: NEWEST.to_owned(),
        ..legacy.session.clone()
    };
    assert_eq!(other.send(other.call(1, "ping", json!({}))).await.status, 404);
    legacy.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_to_nowhere_are_refused() {
    let legacy = Legacy::begun().await;
    let to = |path: &str| {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
        legacy.session.post(body.to_string()).path(path)
    };
    for (path, status) in [
        ("/message".to_owned(), 400),
        ("/message?".to_owned(), 400),
        ("/message?sessionid=x".to_owned(), 400),
        ("/message?sessionId=x&sessionId=y".to_owned(), 400),
        ("/message?sessionId=".to_owned(), 404),
        ("/message?sessionId=x".to_owned(), 404),
        (format!("/message?sessionId={UNKNOWN_SESSION}"), 404),
        ("/message?sessionId=%00%ff".to_owned(), 404),
        ("/message?sessionId=..%2F..".to_owned(), 404),
        (format!("/message?sessionId={}", "x".repeat(5000)), 404),
    ] {
        let answer = legacy.session.send(to(&path)).await;
        assert_eq!(answer.status, status, "{path:.60}: {answer:?}");
        let code = if status == 404 { -32001 } else { -32600 };
        assert_eq!(answer.message()["error"]["code"], code, "{path:.60}");
    }
}

/// An event stream is what `/sse` gives; who cannot read one gets no session either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_refused_to_who_does_not_accept_them() {
    let legacy = Legacy::begun().await;
    let request = || legacy.session.request(Method::GET, "/sse");
    assert_eq!(
        legacy
            .session
            .send(request().with("accept", "text/html"))
            .await
            .status,
        406
    );
    for id in ["nothing~0-0", "~", &format!("{UNKNOWN_SESSION}~0-0")] {
        let answer = legacy.session.send(request().with("last-event-id", id)).await;
        assert_eq!(answer.status, 404, "{id}: {answer:?}");
    }
}
