//! Heads and bodies that never end, and streams that nobody reads.

use std::{net::SocketAddr, time::Duration};

use serde_json::json;
use system_tests::Stack;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};

use super::{
    discretion::assert_discreet,
    faults::until,
    wire::{DEADLINE, NEWEST, Session},
};

/// The deadline of a head and of a body in this test, with room for a busy machine.
const CLOSED: Duration = Duration::from_secs(6);

async fn stack() -> (Stack, Session) {
    let stack = Stack::builder()
        .processes()
        .redis()
        .auth_disabled()
        .setting("HEADER_TIMEOUT_SECS", "1")
        .setting("BODY_TIMEOUT_SECS", "1")
        .setting("IDLE_TIMEOUT_SECS", "2")
        .start()
        .await
        .unwrap();
    let session = Session::begin(&stack.edge_url(0, ""), None, NEWEST).await;
    (stack, session)
}

async fn connect(session: &Session) -> TcpStream {
    TcpStream::connect(session.origin.strip_prefix("http://").unwrap())
        .await
        .unwrap()
}

/// What the server says until it closes the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    // A reset is an end as well.
    _ = timeout(CLOSED, stream.read_to_end(&mut said))
        .await
        .expect("the connection is closed in time");
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_discreet(&said);
    said
}

fn head(session: &Session, more: &str) -> String {
    format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMcp-Session-Id: {}\r\n{more}\r\n",
        session.id
    )
}

/// Reference failure 35.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_sent_heads_and_bodies_are_closed_in_time() {
    let (_stack, session) = stack().await;
    let length = head(&session, "Content-Length: 100\r\n");
    let chunked = head(&session, "Transfer-Encoding: chunked\r\n");
    let halves = [
        ("nothing", String::new(), ""),
        ("half a line", "POST /mc".to_owned(), ""),
        (
            "half a head",
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-".to_owned(),
            "",
        ),
        ("no body", length.clone(), "408"),
        ("half a body", format!("{length}{{\"jsonrpc\""), "408"),
        ("no chunk", chunked.clone(), "408"),
        ("half a chunk", format!("{chunked}20\r\n{{\"json"), "408"),
        ("no last chunk", format!("{chunked}2\r\n{{}}\r\n"), "408"),
    ];
    let mut waiting = Vec::new();
    for (name, half, status) in halves {
        // Many of each, so that holding them open would tell.
        for _ in 0..20 {
            let mut stream = connect(&session).await;
            stream.write_all(half.as_bytes()).await.unwrap();
            waiting.push((name, status, tokio::spawn(rest(stream))));
        }
    }
    session.is_well().await.unwrap();
    for (name, status, rest) in waiting {
        let said = rest.await.unwrap();
        assert!(
            said.starts_with(&format!("HTTP/1.1 {status}")) || (status.is_empty() && said.len() < 200),
            "{name}: {said}"
        );
        if status == "408" {
            assert!(
                said.contains(r#""code":-32600"#) && said.contains("in time"),
                "{name}: {said}"
            );
        }
    }
    session.is_well().await.unwrap();
}

/// A byte now and then does not put the deadline off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dripping_does_not_help() {
    let (_stack, session) = stack().await;
    for start in [
        String::from("POST /mcp HTTP/1.1\r\nHost: localhost\r\nX: "),
        head(&session, "Content-Length: 1000\r\n"),
    ] {
        let mut stream = connect(&session).await;
        stream.write_all(start.as_bytes()).await.unwrap();
        let began = Instant::now();
        let (mut reader, mut writer) = stream.into_split();
        let dripping = tokio::spawn(async move {
            while writer.write_all(b"a").await.is_ok() {
                sleep(Duration::from_millis(100)).await;
            }
        });
        let mut said = Vec::new();
        _ = timeout(CLOSED, reader.read_to_end(&mut said))
            .await
            .expect("the connection is closed in time");
        dripping.abort();
        assert!(began.elapsed() < CLOSED);
    }
    session.is_well().await.unwrap();
}

/// Heads that are too large, and bytes that are no HTTP.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_http_is_refused() {
    let (_stack, session) = stack().await;
    let large = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "x".repeat(200_000)
    );
    let many = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        "X: y\r\n".repeat(5_000)
    );
    let bad: [(&str, &[u8]); 10] = [
        ("a large header", large.as_bytes()),
        ("many headers", many.as_bytes()),
        (
            "garbage",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello\r\n\r\n",
        ),
        ("zeros", &[0; 1000]),
        ("a bad version", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n"),
        ("a bad header", b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n"),
        ("no Host", b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
        (
            "two Hosts",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        ),
        (
            "another authority",
            b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        ),
        (
            "two lengths",
            b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        ),
    ];
    for (name, bytes) in bad {
        let mut stream = connect(&session).await;
        // It may be refused before it is whole.
        _ = stream.write_all(bytes).await;
        let said = rest(stream).await;
        let refused = said.is_empty() || said.starts_with("HTTP/1.1 4") || said.starts_with("HTTP/1.0 4");
        assert!(refused, "{name}: {said}");
        session.is_well().await.unwrap();
    }
}

/// Whether the edge holds its end of this connection.
fn is_held(stream: &TcpStream) -> bool {
    let [ours, edges] = [stream.local_addr().unwrap(), stream.peer_addr().unwrap()];
    let written = |address: SocketAddr| format!("0100007F:{:04X}", address.port());
    let established = format!("{} {} 01", written(edges), written(ours));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().any(|line| line.contains(&established))
}

/// Who asks for a call's stream and then reads no more loses the connection, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_nobody_reads_is_cut_and_can_be_resumed() {
    const STEPS: u64 = 500;
    let stack = Stack::builder()
        .all_in_one()
        .auth_disabled()
        .setting("WRITE_TIMEOUT_SECS", "1")
        .start()
        .await
        .unwrap();
    let session = Session::begin(&stack.edge_url(0, ""), None, NEWEST).await;
    let socket = TcpSocket::new_v4().unwrap();
    // Less than the call has to say.
    socket.set_recv_buffer_size(4096).unwrap();
    let edge = session.origin.strip_prefix("http://").unwrap();
    let mut stream = socket.connect(edge.parse().unwrap()).await.unwrap();
    let call = json!({
        "jsonrpc": "2.0", "id": "long", "method": "tools/call",
        "params": {
            "name": "longRunningOperation",
            "arguments": { "duration": 0.5, "steps": STEPS },
            "_meta": { "progressToken": "steps" },
        },
    })
    .to_string();
    let head = head(&session, &format!("Content-Length: {}\r\n", call.len()));
    stream.write_all((head + &call).as_bytes()).await.unwrap();
    let mut said = String::new();
    let cursor = loop {
        let mut buffer = [0; 256];
        let count = timeout(CLOSED, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(count > 0, "closed after {said}");
        said.push_str(&String::from_utf8_lossy(&buffer[..count]));
        let id = said
            .split_once("\nid: ")
            .and_then(|(_, rest)| rest.split_once('\n'));
        if let Some((id, _)) = id {
            break id.to_owned();
        }
    };
    assert!(is_held(&stream));
    until("the end of the connection", DEADLINE, || async {
        match is_held(&stream) {
            true => Err("the edge holds it".to_owned()),
            false => Ok(()),
        }
    })
    .await;

    let mut rest = session.resume(&cursor).await;
    for step in 1..=STEPS {
        let message = rest.message().await.unwrap();
        assert_eq!(message["params"]["progress"], json!(step), "{message}");
    }
    let result = rest.message().await.unwrap();
    assert_eq!(
        (&result["id"], result["result"].is_object()),
        (&json!("long"), true),
        "{result}"
    );
    assert_eq!(rest.message().await, None);
    session.is_well().await.unwrap();
}
