//! Bodies that are no JSON, too long, too deep, or of another type.

use serde_json::json;
use system_tests::Stack;

use super::{
    table::{Bench, Row, check},
    wire::{NEWEST, REVISIONS, Session},
};

/// MAX_BODY_BYTES without further settings.
const LIMIT: usize = 4 * 1024 * 1024;
const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_json_is_a_parse_error_that_says_where() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        let bad = |name: &str, body: &[u8], word: &str| {
            Row::new(name, session.post(body)).gets_refused(400, PARSE_ERROR, word)
        };
        let rows = vec![
            bad("nothing", b"", "not valid JSON"),
            bad("white space", b" \r\n\t ", "not valid JSON"),
            bad("words", b"hello", "line 1 column 1"),
            bad("a form", b"jsonrpc=2.0&method=ping", "not valid JSON"),
            bad("half", br#"{"jsonrpc":"2.0","id":1,"meth"#, "not valid JSON"),
            bad(
                "half a batch",
                br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
                "not valid JSON",
            ),
            bad(
                "half a string",
                br#"{"jsonrpc":"2.0","id":1,"method":"ping"#,
                "not valid JSON",
            ),
            bad(
                "a comma too many",
                br#"{"jsonrpc":"2.0","id":1,"method":"ping",}"#,
                "not valid JSON",
            ),
            bad(
                "single quotes",
                b"{'jsonrpc':'2.0','id':1,'method':'ping'}",
                "not valid JSON",
            ),
            bad(
                "two messages",
                br#"{"jsonrpc":"2.0","id":1,"method":"ping"}{}"#,
                "not valid JSON",
            ),
            bad(
                "a comment",
                b"{\"jsonrpc\":\"2.0\",/* */\"id\":1,\"method\":\"ping\"}",
                "not valid JSON",
            ),
            bad(
                "no number",
                br#"{"jsonrpc":"2.0","id":NaN,"method":"ping"}"#,
                "not valid JSON",
            ),
            bad(
                "zeros ahead",
                br#"{"jsonrpc":"2.0","id":007,"method":"ping"}"#,
                "not valid JSON",
            ),
            bad(
                "a line in a string",
                b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\nng\"}",
                "line 1",
            ),
            bad(
                "a byte that is no text",
                b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}",
                "UTF-8 at byte 34",
            ),
            bad(
                "an overlong slash",
                b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc0\xaf\"}",
                "UTF-8 at byte 34",
            ),
            bad(
                "half a character",
                b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xe2\x82",
                "UTF-8 at byte 34",
            ),
            bad("UTF-16", b"\xff\xfe{\0}\0", "UTF-8 at byte 0"),
            bad("zeros", &[0; 100], "not valid JSON"),
            bad(
                "a byte order mark",
                b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
                "byte order mark",
            ),
        ];
        check(session, rows).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lone_surrogates_are_refused_and_not_repeated() {
    let bench = Bench::of(&[NEWEST]).await;
    let session = &bench.sessions[0];
    let rows = vec![
        Row::new(
            "as an id",
            session.post(r#"{"jsonrpc":"2.0","id":"\ud800","method":"ping"}"#),
        )
        .gets_refused(400, INVALID_REQUEST, "id"),
        Row::new(
            "as a method",
            session.post(r#"{"jsonrpc":"2.0","id":1,"method":"\udfff"}"#),
        )
        .gets_error(1, 400, INVALID_REQUEST, "method"),
        Row::new(
            "as a tool's name",
            session.post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\ud800"}}"#),
        )
        .gets_error(1, 200, -32602, "name"),
    ];
    check(session, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_over_the_limit_are_refused_and_bodies_up_to_it_are_taken() {
    let bench = Bench::of(&[NEWEST]).await;
    let session = &bench.sessions[0];
    let of = |bytes: usize| {
        let mut body = br#"{"jsonrpc":"2.0","id":1,"method":"ping""#.to_vec();
        body.resize(bytes - 1, b' ');
        body.push(b'}');
        session.post(body)
    };
    let rows = vec![
        Row::new("over it", of(LIMIT + 1)).gets_refused(413, INVALID_REQUEST, "too large"),
        Row::new("over it in chunks", of(LIMIT + 1).chunked()).gets_refused(
            413,
            INVALID_REQUEST,
            "too large",
        ),
        Row::new("far over it", of(4 * LIMIT)).gets_refused(413, INVALID_REQUEST, "too large"),
        Row::new("far over it in chunks", of(4 * LIMIT).chunked()).gets_refused(
            413,
            INVALID_REQUEST,
            "too large",
        ),
        Row::new("at it", of(LIMIT)).is(200),
        Row::new("at it in chunks", of(LIMIT).chunked()).is(200),
        // Reference failure 19: this much was too much.
        Row::new("200 KB", of(200_000)).is(200),
    ];
    check(session, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nests_too_deep_is_refused_under_its_id() {
    let bench = Bench::of(&REVISIONS).await;
    for session in &bench.sessions {
        let nested = |open: &str, close: &str, levels: usize| {
            let deep = format!("{}1{}", open.repeat(levels), close.repeat(levels));
            format!(
                r#"{{"jsonrpc":"2.0","id":"deep","method":"tools/call","params":{{"name":"echo","arguments":{deep}}}}}"#
            )
        };
        let refused = |name: &str, body: String| {
            Row::new(name, session.post(body)).gets_error("deep", 400, INVALID_REQUEST, "deeper than")
        };
        let rows = vec![
            refused("100 objects", nested(r#"{"a":"#, "}", 100)),
            refused("100 arrays", nested("[", "]", 100)),
            refused("100,000 objects", nested(r#"{"a":"#, "}", 100_000)),
            refused("100,000 arrays", nested("[", "]", 100_000)),
            Row::new("brackets in a string", {
                let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": { "_meta": { "a": "[{".repeat(50_000) } } });
                session.post(message.to_string())
            })
            .is(200),
            Row::new("only brackets", session.post("[".repeat(1_000_000))).gets_refused(400, PARSE_ERROR, "JSON"),
            Row::new("only braces", session.post(r#"{"a":"#.repeat(200_000))).gets_refused(400, PARSE_ERROR, "JSON"),
            Row::new("a batch that is too deep", session.post(format!("[{}]", nested("[", "]", 1000))))
                .gets_refused(400, INVALID_REQUEST, "deeper than"),
        ];
        check(session, rows).await;
    }
}

/// The same limits hold where clients log in, and before anybody's token is looked at nothing is held in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_cannot_make_the_server_read_large_bodies() {
    let stack = Stack::builder().in_process().start().await.unwrap();
    let origin = stack.edge_url(0, "");
    let nobody = Session {
        client: super::wire::client(),
        origin,
        token: None,
        id: String::new(),
        revision: NEWEST.to_owned(),
    };
    let answer = nobody.send(nobody.post(vec![b' '; 4 * LIMIT])).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let answer = nobody.send(nobody.post(vec![b' '; 4 * LIMIT]).chunked()).await;
    assert_eq!(answer.status, 401, "{answer:?}");
}
