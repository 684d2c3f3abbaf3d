//! Clients that keep their connection and do not read, or hardly.

use tokio::time::sleep;

use super::*;

/// Longer than any of this takes, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Has asked for a stream that never ends: more waits for it all the time.
async fn ask_for_a_flood(edge: &Listening) -> TcpStream {
    let mut stream = connect(edge).await;
    stream
        .write_all(b"GET /flood HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    until(&mut stream, "HTTP/1.1 200 OK").await;
    stream
}

async fn is_turned_away(edge: &Listening) -> bool {
    let mut stream = connect(edge).await;
    _ = stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await;
    !rest(&mut stream).await.starts_with("HTTP/1.1 200 ")
}

#[tokio::test]
async fn a_client_that_reads_no_more_loses_its_connection() {
    let write_timeout = Duration::from_secs(1);
    let config = EdgeConfig {
        write_timeout_secs: write_timeout.as_secs().to_string(),
        max_connections: "1".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = listen(config).await;
    let began = Instant::now();
    let mut stalled = ask_for_a_flood(&edge).await;
    assert!(is_turned_away(&edge).await, "its place is taken");
    while is_turned_away(&edge).await {
        assert!(began.elapsed() < PATIENCE, "its place comes back");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() >= write_timeout, "{:?}", began.elapsed());
    // What was on its way, and then the end.
    rest(&mut stalled).await;
}

#[tokio::test]
async fn a_client_that_reads_slowly_keeps_it() {
    let write_timeout = Duration::from_secs(4);
    let config = EdgeConfig {
        write_timeout_secs: write_timeout.as_secs().to_string(),
        ..EdgeConfig::default()
    };
    let edge = listen(config).await;
    let began = Instant::now();
    let mut slow = ask_for_a_flood(&edge).await;
    let mut buffer = vec![0; 16 * 1024];
    while began.elapsed() < write_timeout + write_timeout / 2 {
        sleep(Duration::from_millis(100)).await;
        let count = timeout(SOON, slow.read(&mut buffer)).await.expect("in time");
        assert!(count.unwrap() > 0, "closed after {:?}", began.elapsed());
    }
}
