//! Connections and their deadlines.

mod stalling;

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    EdgeConfig, Probe, healthcheck,
    testing::{Harness, Listening},
};

const SOON: Duration = Duration::from_secs(5);

async fn listen(config: EdgeConfig) -> Listening {
    Harness::with(EdgeConfig {
        auth_mode: "disabled".to_owned(),
        ..config
    })
    .await
    .listen()
    .await
}

async fn connect(edge: &Listening) -> TcpStream {
    TcpStream::connect(edge.address).await.unwrap()
}

/// Until the edge closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset closes it too.
    _ = timeout(SOON, stream.read_to_end(&mut answer))
        .await
        .expect("closed in time");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Neither sends nor closes.
async fn stays_quiet(stream: &mut TcpStream, time: Duration) {
    let mut buffer = [0; 64];
    assert!(
        timeout(time, stream.read(&mut buffer)).await.is_err(),
        "the edge did something"
    );
}

/// Until `text` came.
async fn until(stream: &mut TcpStream, text: &str) -> String {
    let mut answer = String::new();
    let mut buffer = [0; 4096];
    while !answer.contains(text) {
        let count = timeout(SOON, stream.read(&mut buffer))
            .await
            .expect("in time")
            .unwrap();
        assert_ne!(count, 0, "closed after {answer:?}");
        answer.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    answer
}

#[tokio::test]
async fn half_a_head_is_closed_at_the_deadline() {
    let config = EdgeConfig {
        header_timeout_secs: "0.2".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = listen(config).await;
    let started = Instant::now();
    let mut stream = connect(&edge).await;
    stream
        .write_all(b"POST /mcp HTTP/1.1\r\nhost: localhost\r\n")
        .await
        .unwrap();
    assert!(rest(&mut stream).await.is_empty());
    assert!(
        started.elapsed() >= Duration::from_millis(200),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_head_that_drips_is_closed_all_the_same() {
    let config = EdgeConfig {
        header_timeout_secs: "0.2".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = listen(config).await;
    let mut stream = connect(&edge).await;
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut drips = tokio::time::interval(Duration::from_millis(20));
    let dripping = async {
        while stream.write_all(b"x: y\r\n").await.is_ok() {
            drips.tick().await;
        }
    };
    timeout(SOON, dripping).await.expect("closed in time");
}

#[tokio::test]
async fn a_second_request_has_its_own_deadline_and_idleness_another() {
    let config = EdgeConfig {
        header_timeout_secs: "0.2".to_owned(),
        idle_timeout_secs: "1".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = listen(config).await;
    let mut stream = connect(&edge).await;
    for _ in 0..2 {
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await
            .unwrap();
        assert!(until(&mut stream, "\"ok\"").await.starts_with("HTTP/1.1 200 OK"));
        // Longer than a head may take: between requests the connection may rest.
        stays_quiet(&mut stream, Duration::from_millis(400)).await;
    }
    let started = Instant::now();
    stream.write_all(b"GET /livez HT").await.unwrap();
    assert!(rest(&mut stream).await.is_empty());
    assert!(
        started.elapsed() < Duration::from_millis(700),
        "{:?}",
        started.elapsed()
    );

    let mut idle = connect(&edge).await;
    assert!(rest(&mut idle).await.is_empty());
}

#[tokio::test]
async fn half_a_body_is_answered_at_the_deadline() {
    let config = EdgeConfig {
        body_timeout_secs: "0.2".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = listen(config).await;
    let mut stream = connect(&edge).await;
    stream
        .write_all(b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nhalf")
        .await
        .unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("-32600"), "{answer}");
}

#[tokio::test]
async fn a_client_that_sends_far_too_much_still_reads_why() {
    let config = EdgeConfig {
        max_body_bytes: "1000".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = listen(config).await;
    let mut stream = connect(&edge).await;
    let length = 8 * 1024 * 1024;
    let head = format!("POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    timeout(SOON, stream.write_all(&vec![b'x'; length]))
        .await
        .expect("taken in time")
        .unwrap();
    assert!(until(&mut stream, "too large").await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_at_once() {
    let config = EdgeConfig {
        max_body_bytes: "1000".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = listen(config).await;
    let mut stream = connect(&edge).await;
    let head =
        b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5000\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head).await.unwrap();
    assert!(until(&mut stream, "too large").await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let edge = listen(EdgeConfig::default()).await;
    let mut stream = connect(&edge).await;
    let head = format!(
        "GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
        "y".repeat(64 * 1024)
    );
    _ = stream.write_all(head.as_bytes()).await;
    let answer = rest(&mut stream).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
        "{answer}"
    );
}

#[tokio::test]
async fn more_connections_than_there_are_slots_are_told_to_come_back() {
    let config = EdgeConfig {
        max_connections: "1".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = listen(config).await;
    let mut first = connect(&edge).await;
    first
        .write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    until(&mut first, "\"ok\"").await;
    let mut second = connect(&edge).await;
    let answer = rest(&mut second).await;
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1"),
        "{answer}"
    );
    drop(first);
    let deadline = Instant::now() + SOON;
    loop {
        assert!(Instant::now() < deadline, "the slot comes back");
        let mut next = connect(&edge).await;
        _ = next
            .write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await;
        if rest(&mut next).await.starts_with("HTTP/1.1 200 ") {
            break;
        }
    }
}

#[tokio::test]
async fn an_open_stream_outlives_the_deadlines_and_ends_with_the_edge() {
    let config = EdgeConfig {
        header_timeout_secs: "0.1".to_owned(),
        idle_timeout_secs: "0.1".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = listen(config).await;
    let mut stream = connect(&edge).await;
    stream
        .write_all(b"GET /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    until(&mut stream, ": open").await;
    stays_quiet(&mut stream, Duration::from_millis(400)).await;
    edge.harness.shut_down();
    edge.stop.cancel();
    assert!(rest(&mut stream).await.contains(": end"));
    timeout(SOON, edge.serving)
        .await
        .expect("in time")
        .unwrap()
        .unwrap();
    assert!(
        TcpStream::connect(edge.address).await.is_err(),
        "nothing is accepted any more"
    );
}

#[tokio::test]
async fn a_stream_that_does_not_end_is_closed_at_the_drain_deadline() {
    let config = EdgeConfig {
        drain_timeout_secs: "0.2".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = listen(config).await;
    let mut stream = connect(&edge).await;
    stream
        .write_all(b"GET /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    until(&mut stream, ": open").await;
    edge.stop.cancel();
    timeout(SOON, edge.serving)
        .await
        .expect("in time")
        .unwrap()
        .unwrap();
    assert!(!rest(&mut stream).await.contains(": end"));
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_served() {
    let edge = listen(EdgeConfig::default()).await;
    let mut stream = connect(&edge).await;
    // Preface, empty SETTINGS, and HEADERS of `GET /livez` with an indexed and two literal fields (RFC 7541).
    let mut headers = vec![0x82, 0x86, 0x44, 6];
    headers.extend_from_slice(b"/livez");
    headers.extend_from_slice(&[0x41, 9]);
    headers.extend_from_slice(b"localhost");
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    stream
        .write_all(&[0, 0, u8::try_from(headers.len()).unwrap(), 1, 5, 0, 0, 0, 1])
        .await
        .unwrap();
    stream.write_all(&headers).await.unwrap();
    until(&mut stream, r#"{"status":"ok"}"#).await;
}

#[tokio::test]
async fn garbage_closes_only_its_own_connection() {
    let edge = listen(EdgeConfig::default()).await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = connect(&edge).await;
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        rest(&mut stream).await;
    }
    let mut settings = (*edge.harness.state.config).clone();
    settings.port = edge.address.port();
    healthcheck(&settings, Probe::Alive).await.unwrap();
}

#[tokio::test]
async fn an_edge_without_services_is_alive_but_not_ready() {
    let edge = listen(EdgeConfig::default()).await;
    let mut settings = (*edge.harness.state.config).clone();
    settings.port = edge.address.port();
    healthcheck(&settings, Probe::Alive).await.unwrap();
    assert!(healthcheck(&settings, Probe::Ready).await.is_err());
}

#[tokio::test]
async fn the_healthcheck_fails_where_nobody_listens() {
    let edge = listen(EdgeConfig::default()).await;
    let mut settings = (*edge.harness.state.config).clone();
    settings.port = edge.address.port();
    edge.stop.cancel();
    timeout(SOON, edge.serving)
        .await
        .expect("in time")
        .unwrap()
        .unwrap();
    assert!(healthcheck(&settings, Probe::Alive).await.is_err());
}
