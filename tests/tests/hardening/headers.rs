//! Headers that are missing, wrong, doubled or foreign.

use http::Method;
use serde_json::json;

use super::{
    table::{Bench, Row, check},
    wire::{NEWEST, REVISIONS, Request, Session, UNKNOWN_SESSION},
};

const INVALID_REQUEST: i64 = -32600;
const SESSION_NOT_FOUND: i64 = -32001;

fn ping(session: &Session) -> Request {
    session.call(1, "ping", json!({}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_type_is_json() {
    let bench = Bench::of(&[NEWEST]).await;
    let session = &bench.sessions[0];
    let bad = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json-rpc",
        "application",
        "",
        ";",
        "text/event-stream",
    ];
    let mut rows: Vec<_> = bad
        .into_iter()
        .map(|kind| {
            Row::new(kind, ping(session).with("content-type", kind)).gets_refused(
                415,
                INVALID_REQUEST,
                "Content-Type",
            )
        })
        .collect();
    rows.push(
        Row::new("missing", ping(session).without("content-type")).gets_refused(
            415,
            INVALID_REQUEST,
            "Content-Type",
        ),
    );
    rows.push(
        Row::new("no text", ping(session).with("content-type", b"\xff\xfe")).gets_refused(
            415,
            INVALID_REQUEST,
            "Content-Type",
        ),
    );
    for good in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/json;",
        " application/json",
    ] {
        rows.push(Row::new(good, ping(session).with("content-type", good)).is(200));
    }
    check(session, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accept_takes_both_answers_of_a_post_and_the_stream_of_a_get() {
    let bench = Bench::of(&[NEWEST]).await;
    let session = &bench.sessions[0];
    let get = || session.request(Method::GET, "/mcp");
    let mut rows = vec![
        // RFC 9110 section 12.5.1: anything will do.
        Row::new("POST without", ping(session).without("accept")).is(200),
        Row::new("GET of JSON", get().with("accept", "application/json")).gets_refused(
            406,
            INVALID_REQUEST,
            "text/event-stream",
        ),
    ];
    for bad in [
        "application/json",
        "text/event-stream",
        "text/html",
        "",
        "application/json;q=0, text/event-stream",
        "application/json, text/event-stream;q=0",
        ",,,;;;",
    ] {
        rows.push(Row::new(bad, ping(session).with("accept", bad)).gets_refused(
            406,
            INVALID_REQUEST,
            "Accept",
        ));
    }
    for good in [
        "*/*",
        "application/*, text/*",
        "text/event-stream, application/json",
        "TEXT/EVENT-STREAM,APPLICATION/JSON",
        "text/html, application/json;q=0.5, text/event-stream;q=0.1",
    ] {
        rows.push(Row::new(good, ping(session).with("accept", good)).is(200));
    }
    let split = ping(session)
        .with("accept", "application/json")
        .and("accept", "text/event-stream");
    rows.push(Row::new("in two headers", split).is(200));
    check(session, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_ids_that_are_none() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        let id = |id: &[u8]| ping(session).with("mcp-session-id", id);
        let mut rows = vec![
            Row::new("none", ping(session).without("mcp-session-id")).gets_error(
                1,
                400,
                INVALID_REQUEST,
                "Mcp-Session-Id",
            ),
            Row::new("two", ping(session).and("mcp-session-id", &session.id)).gets_refused(
                400,
                INVALID_REQUEST,
                "mcp-session-id",
            ),
            Row::new("no text", id(b"\xff\xfe\x80")).gets_refused(400, INVALID_REQUEST, "mcp-session-id"),
            Row::new("endless", id(&[b'a'; 5000])).gets_refused(400, INVALID_REQUEST, "mcp-session-id"),
        ];
        let unknown = [
            UNKNOWN_SESSION,
            "",
            "x",
            "../../etc/passwd",
            "{}",
            "*",
            "session:*:owner",
            "a b",
            "a\tb",
            "'; DROP TABLE sessions; --",
            "%00",
            "\"",
        ];
        for unknown in unknown {
            rows.push(
                Row::new(format!("{unknown:?}"), id(unknown.as_bytes())).gets_error(
                    1,
                    404,
                    SESSION_NOT_FOUND,
                    "session not found",
                ),
            );
        }
        // One character more, and another letter case.
        for near in [format!("{}x", session.id), session.id.to_uppercase()] {
            rows.push(Row::new(format!("{near:?}"), id(near.as_bytes())).gets_error(
                1,
                404,
                SESSION_NOT_FOUND,
                "session not found",
            ));
        }
        check(session, rows).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_protocol_version_is_the_sessions_own() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        let version = |version: &[u8]| ping(session).with("mcp-protocol-version", version);
        let bad: [&[u8]; 7] = [
            b"1999-01-01",
            b"2024-11-05",
            b"",
            b"latest",
            b"2025-11-25 ",
            b"2.0",
            b"\xff",
        ];
        let mut rows = vec![Row::new("absent", ping(session).without("mcp-protocol-version")).is(200)];
        for value in bad
            .into_iter()
            .filter(|value| value.trim_ascii() != session.revision.as_bytes())
        {
            let row = Row::new(format!("{value:?}"), version(value));
            // 2025-03-26 has no such header.
            rows.push(match session.revision.as_str() {
                "2025-03-26" => row.is(200),
                _ if value == b"\xff" => row.gets_error(1, 400, INVALID_REQUEST, "mcp-protocol-version"),
                _ => row.gets_error(1, 400, INVALID_REQUEST, "MCP-Protocol-Version"),
            });
        }
        let two = ping(session).and("mcp-protocol-version", &session.revision);
        rows.push(match session.revision.as_str() {
            "2025-03-26" => Row::new("two", two).is(200),
            _ => Row::new("two", two).gets_error(1, 400, INVALID_REQUEST, "mcp-protocol-version"),
        });
        check(session, rows).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_ids_that_are_none() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        let get = |id: &[u8]| session.request(Method::GET, "/mcp").with("last-event-id", id);
        let garbage: [&[u8]; 8] = [
            b"garbage",
            b"0-0",
            b"g",
            b"g:",
            b"-1",
            b"../..",
            b"{}",
            b"99999999999999999999-9999",
        ];
        let mut rows: Vec<_> = garbage
            .into_iter()
            .map(|id| {
                Row::new(String::from_utf8_lossy(id), get(id)).gets_refused(
                    400,
                    INVALID_REQUEST,
                    "Last-Event-ID",
                )
            })
            .collect();
        rows.push(Row::new("no text", get(b"\xff")).gets_refused(400, INVALID_REQUEST, "last-event-id"));
        rows.push(Row::new("endless", get(&[b'1'; 5000])).gets_refused(
            400,
            INVALID_REQUEST,
            "last-event-id",
        ));
        let two = get(b"1").and("last-event-id", "2");
        rows.push(Row::new("two", two).gets_refused(400, INVALID_REQUEST, "last-event-id"));
        check(session, rows).await;
    }
}

/// Reference failure 18: pages of other sites, and this machine by another name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_origins_and_hosts_are_refused_everywhere() {
    let bench = Bench::of(&[NEWEST]).await;
    let session = &bench.sessions[0];
    let mut rows = Vec::new();
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "file://",
        "http://127.0.0.1.evil.example",
        "garbage",
        "",
    ] {
        rows.push(
            Row::new(format!("Origin {origin}"), ping(session).with("origin", origin)).gets_refused(
                403,
                INVALID_REQUEST,
                "Origin",
            ),
        );
    }
    rows.push(
        Row::new(
            "two Origins",
            ping(session)
                .with("origin", "http://localhost")
                .and("origin", "http://localhost"),
        )
        .gets_refused(403, INVALID_REQUEST, "Origin"),
    );
    for host in [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "169.254.169.254",
        "127.0.0.1.nip.example",
    ] {
        rows.push(
            Row::new(format!("Host {host}"), ping(session).with("host", host)).gets_refused(
                403,
                INVALID_REQUEST,
                "Host",
            ),
        );
    }
    for (method, path) in [
        (Method::GET, "/mcp"),
        (Method::DELETE, "/mcp"),
        (Method::OPTIONS, "/mcp"),
        (Method::GET, "/sse"),
        (Method::POST, "/message?sessionId=x"),
        (Method::GET, "/"),
    ] {
        let request = || session.request(method.clone(), path);
        rows.push(
            Row::new(
                format!("{method} {path}: Origin"),
                request().with("origin", "https://evil.example"),
            )
            .is(403),
        );
        rows.push(
            Row::new(
                format!("{method} {path}: Host"),
                request().with("host", "evil.example"),
            )
            .is(403),
        );
    }
    for origin in ["http://localhost:5173", "http://127.0.0.1", "https://localhost"] {
        rows.push(Row::new(format!("Origin {origin}"), ping(session).with("origin", origin)).is(200));
    }
    rows.push(Row::new("Host localhost", ping(session).with("host", "localhost:3232")).is(200));
    check(session, rows).await;
}

/// Reference failure 17: a page sees the headers that it needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_see_the_session_id_and_may_send_every_header() {
    let bench = Bench::of(&[NEWEST]).await;
    let session = &bench.sessions[0];
    let origin = "http://localhost:5173";
    let begun = session.send(session.initialize().with("origin", origin)).await;
    assert_eq!(begun.header("access-control-allow-origin"), Some(origin));
    let exposed = begun
        .header("access-control-expose-headers")
        .unwrap()
        .to_lowercase();
    for name in ["mcp-session-id", "mcp-protocol-version", "www-authenticate"] {
        assert!(exposed.contains(name), "{name} is not exposed: {exposed}");
    }
    let wanted = "authorization,content-type,last-event-id,mcp-protocol-version,mcp-session-id";
    let preflight = Request::new(Method::OPTIONS, "/mcp")
        .with("origin", origin)
        .with("access-control-request-method", "DELETE")
        .with("access-control-request-headers", wanted);
    let allowed = session.send(preflight).await;
    assert!(allowed.status == 200 || allowed.status == 204, "{allowed:?}");
    assert_eq!(allowed.header("access-control-allow-headers"), Some(wanted));
    assert!(
        allowed
            .header("access-control-allow-methods")
            .unwrap()
            .contains("DELETE")
    );
}
