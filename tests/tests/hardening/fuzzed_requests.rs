//! Good requests with something changed by chance, always the same chances.

use std::time::Duration;

use futures::{StreamExt, stream};
use http::Method;
use serde_json::json;
use system_tests::Stack;
use tokio::time::timeout;

use super::{
    discretion::assert_discreet,
    wire::{Body, NEWEST, REVISIONS, Request, Session},
    without_sessions,
};

const SEED: u64 = 0x2545_F491_4F6C_DD1D;
const REQUESTS: usize = 2_000;
const AT_ONCE: usize = 16;
/// Streams stay open, and a changed call may be a long one: neither is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Numbers that look random (xorshift64*).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(SEED)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_of_a_good_request_makes_the_server_fail() {
    let stack = Stack::builder()
        .in_process()
        .auth_disabled()
        .start()
        .await
        .unwrap();
    let origin = stack.edge_url(0, "");
    let mut sessions = Vec::new();
    for revision in REVISIONS {
        sessions.push(Session::begin(&origin, None, revision).await);
    }
    let mut chance = Chance(SEED);
    let requests: Vec<_> = (0..REQUESTS)
        .map(|_| {
            let session = &sessions[chance.below(sessions.len())];
            (session.clone(), changed(&mut chance, session))
        })
        .collect();
    let failures: Vec<_> = stream::iter(requests)
        .map(|(session, request)| async move { survives(&session, request).await.err() })
        .buffer_unordered(AT_ONCE)
        .filter_map(|failure| async move { failure })
        .collect()
        .await;
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
    for revision in REVISIONS {
        let session = Session::begin(&origin, None, revision).await;
        session.is_well().await.unwrap();
        session.echoes().await.unwrap();
    }
}

async fn survives(session: &Session, request: Request) -> Result<(), String> {
    let shown = format!("{request:?}");
    let url = format!("{}{}", session.origin, request.path);
    let (Body::Whole(body) | Body::Chunked(body)) = request.body;
    let sent = session
        .client
        .request(request.method, url)
        .headers(request.headers)
        .body(body)
        .send();
    let Ok(answer) = timeout(Duration::from_secs(20), sent).await else {
        return Err(format!("no answer to {shown}"));
    };
    // A head that the server does not read is answered, or the connection closed.
    let Ok(answer) = answer else { return Ok(()) };
    let status = answer.status();
    if status.is_server_error() {
        return Err(format!("{status} to {shown}: {:?}", answer.text().await));
    }
    if let Ok(Ok(text)) = timeout(PATIENCE, answer.text()).await {
        assert_discreet(&text);
    }
    Ok(())
}

fn corpus(chance: &mut Chance, session: &Session) -> Request {
    let progress = json!({ "progressToken": "p" });
    let modern = |method: &str, params| without_sessions::request(session, "m", method, params);
    let all = [
        session.call(1, "ping", json!({})),
        session.initialize(),
        session.call(2, "tools/list", json!({})),
        session.tool("a", "echo", json!({ "message": "hello \u{1F600}" })),
        session.tool(-7, "add", json!({ "a": 1, "b": 2.5 })),
        session.call(3, "tools/call", json!({ "name": "longRunningOperation", "arguments": { "duration": 0.01, "steps": 2 }, "_meta": progress })),
        session.tool(4, "getStructuredContent", json!({ "location": "Chicago" })),
        session.tool(5, "annotatedMessage", json!({ "messageType": "error", "includeImage": true })),
        session.tool(6, "getResourceLinks", json!({ "count": 3 })),
        session.call(7, "resources/list", json!({ "cursor": "x" })),
        session.call(8, "resources/read", json!({ "uri": "test://static/resource/7" })),
        session.call(9, "resources/subscribe", json!({ "uri": "test://static/resource/7" })),
        session.call(10, "prompts/get", json!({ "name": "complex_prompt", "arguments": { "temperature": "1", "style": "x" } })),
        session.call(11, "completion/complete", json!({ "ref": { "type": "ref/prompt", "name": "complex_prompt" }, "argument": { "name": "style", "value": "" } })),
        session.call(12, "logging/setLevel", json!({ "level": "debug" })),
        session.post(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3,"reason":"x"}}"#),
        session.post(r#"{"jsonrpc":"2.0","id":"srv-1","result":{"roots":[]}}"#),
        session.post(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"x"}]"#),
        session.request(Method::GET, "/mcp").with("last-event-id", "g:1-0"),
        modern("server/discover", json!({})),
        modern("tools/list", json!({})),
        modern("tools/call", json!({ "name": "echo", "arguments": { "message": "x" } })),
        modern("tools/call", json!({ "name": "sampleLLM", "arguments": { "prompt": "x" }, "requestState": "AAAA", "inputResponses": { "a": {} } })),
        modern("subscriptions/listen", json!({ "notifications": { "resourceSubscriptions": ["test://static/resource/7"] } })),
    ];
    let choice = chance.below(all.len());
    all.into_iter().nth(choice).unwrap()
}

fn changed(chance: &mut Chance, session: &Session) -> Request {
    let mut request = corpus(chance, session);
    for _ in 0..=chance.below(3) {
        match chance.below(10) {
            0 => request = header_changed(chance, request, session),
            1 => {
                request.method = chance
                    .of(&[&Method::POST, &Method::GET, &Method::PUT, &Method::HEAD])
                    .clone()
            }
            2 => {
                request.path = chance
                    .of(&[
                        "/mcp",
                        "/mcp?x=%ff",
                        "/message?sessionId=x",
                        "/message",
                        "/token",
                        "/register",
                        "/introspect",
                    ])
                    .to_owned()
            }
            _ => {
                let (Body::Whole(body) | Body::Chunked(body)) = &mut request.body;
                change(chance, body);
            }
        }
    }
    request
}

fn header_changed(chance: &mut Chance, request: Request, session: &Session) -> Request {
    let names = [
        "mcp-session-id",
        "mcp-protocol-version",
        "content-type",
        "accept",
        "origin",
        "last-event-id",
        "traceparent",
        "authorization",
    ];
    let name = names[chance.below(names.len())];
    match chance.below(4) {
        0 => request.without(name),
        1 => request.and(name, &session.id),
        2 => {
            let junk: Vec<u8> = (0..chance.below(300))
                .map(|_| 0x20 + (chance.next() % 0x5f) as u8)
                .collect();
            request.with(name, junk)
        }
        _ => request.with(
            name,
            chance.of(&[
                "",
                "*/*",
                "null",
                NEWEST,
                "2026-07-28",
                "\u{e9}",
                "00-0-0-00",
                "-1",
                "text/event-stream",
            ]),
        ),
    }
}

/// Changes bytes, or JSON as a careless program would.
fn change(chance: &mut Chance, body: &mut Vec<u8>) {
    if body.is_empty() {
        body.extend_from_slice(b"{}");
    }
    let at = chance.below(body.len());
    match chance.below(9) {
        0 => body[at] = chance.next() as u8,
        1 => body[at] ^= 1 << chance.below(8),
        2 => body.truncate(at),
        3 => drop(body.remove(at)),
        4 => {
            let end = (at + chance.below(40)).min(body.len());
            let again = body[at..end].to_vec();
            body.splice(at..at, again);
        }
        5 => {
            let token: &[u8] = chance.of(&[
                b"null".as_slice(),
                b"\"\"",
                b"-1",
                b"1e999",
                b"18446744073709551616",
                b"[]",
                b"{}",
                b"{\"a\":[1,{\"b\":2}]}",
                b"\\u0000",
                b"\"\\ud800\"",
                b",",
                b":",
                b"\"id\":1,",
                b"\xef\xbb\xbf",
                b"true",
                b"0.1",
            ]);
            body.splice(at..at, token.iter().copied());
        }
        6 => {
            // A value becomes another.
            let text = String::from_utf8_lossy(body).into_owned();
            let (from, to) = (
                chance.of(&[
                    "1",
                    "\"2.0\"",
                    "{",
                    "}",
                    "\"name\"",
                    "\"params\"",
                    "\"id\"",
                    "\"method\"",
                    "true",
                ]),
                chance.of(&["null", "[]", "2", "\"x\"", "\"params\"", "{\"id\":", "1.5"]),
            );
            *body = text.replacen(from, to, 1).into_bytes();
        }
        7 => {
            let depth = 1 + chance.below(200);
            let nested = ["[".repeat(depth), "]".repeat(depth)].concat();
            body.splice(at..at, nested.into_bytes());
        }
        _ => {
            let other = body.clone();
            body.extend_from_slice(&other[at..]);
        }
    }
}
