use std::sync::{Arc, Mutex};

use http::Request;

use crate::testing::Harness;

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_request_is_one_line_and_no_secret_is_in_it() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // This test's own thread, on which all its tasks run.
    let _logging = tracing::subscriber::set_default(subscriber);
    let edge = Harness::new().await;
    let request = Request::post("/mcp?code=secret-code").header("authorization", "Bearer secret-token");
    edge.send(
        request.header("cookie", "everything_login=secret-cookie"),
        "secret-body",
    )
    .await;
    edge.form(
        "/token?x=secret-query",
        "code=secret-code&client_secret=secret-secret",
    )
    .await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("INFO") && line.contains("request "))
        .collect();
    assert_eq!(lines.len(), 2, "{text}");
    for part in [
        "method=POST",
        "path=\"/mcp\"",
        "status=401",
        "duration_ms=",
        "bytes=",
        "complete=true",
    ] {
        assert!(lines[0].contains(part), "{part} in {}", lines[0]);
    }
    let leak = text.lines().find(|line| line.contains("secret"));
    assert_eq!(leak, None, "not at debug level either");
}
