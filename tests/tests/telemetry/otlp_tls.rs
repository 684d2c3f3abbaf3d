//! Exporting over TLS: to whom the named authority vouches for, and to nobody else.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::json;
use serving::testing::{Authority, Files};
use system_tests::{OtlpReceiver, Stack, client::McpClient, tools};
use tokio::process::Command;

use super::{
    otlp_http::OtlpHttp,
    seen::{eventually, log},
};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const FAILS: &str = "telemetry cannot be exported";
/// In a header, as those who sell receivers want it.
const API_KEY: &str = "secret-of-the-receiver-4f81d0";

/// Receivers of both protocols, by one certificate of an authority that no system knows.
struct Receivers {
    grpc: OtlpReceiver,
    http: OtlpHttp,
    /// The authority is in `ca`.
    files: Files,
    /// Somebody else's.
    other: Files,
    directory: PathBuf,
}

impl Receivers {
    /// `name`: of the test.
    async fn start(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("everything-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let issue = |name: &str| {
            let authority = Authority::new(name);
            let issued = authority.issue(&["localhost", "127.0.0.1"]);
            (authority.write(&directory, name, &issued), issued)
        };
        let (files, issued) = issue("ours");
        Self {
            grpc: OtlpReceiver::start_with_tls(&issued).await.unwrap(),
            http: OtlpHttp::start_with_tls(&files).await,
            files,
            other: issue("other").0,
            directory,
        }
    }

    /// Protocol and endpoint of each.
    fn both(&self) -> [(&'static str, String); 2] {
        [
            ("grpc", self.grpc.endpoint()),
            ("http/protobuf", self.http.endpoint()),
        ]
    }

    /// Whether spans and metrics have arrived.
    fn arrived(&self, protocol: &str) -> (bool, bool) {
        match protocol {
            "grpc" => (!self.grpc.spans().is_empty(), !self.grpc.metrics().is_empty()),
            _ => {
                let any = |path| !self.http.exports(path).is_empty();
                (any("/v1/traces"), any("/v1/metrics"))
            }
        }
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A server that exports there, and soon; it has served a call.
async fn exporting(endpoint: &str, protocol: &str, settings: &[(&str, &Path)]) -> (Stack, McpClient) {
    let mut stack = Stack::builder()
        .all_in_one()
        .auth_disabled()
        .setting("RUST_LOG", "info")
        .setting(ENDPOINT, endpoint)
        .setting(PROTOCOL, protocol)
        .setting("OTEL_EXPORTER_OTLP_HEADERS", &format!("x-api-key={API_KEY}"))
        .setting("OTEL_BSP_SCHEDULE_DELAY", "50")
        .setting("OTEL_METRIC_EXPORT_INTERVAL", "100");
    for (name, path) in settings {
        stack = stack.setting(name, text(path));
    }
    let stack = stack.start().await.unwrap();
    let client = McpClient::connect(&stack.url("/mcp"), "2025-11-25", json!({}), None)
        .await
        .unwrap();
    client.tool("echo", json!({ "message": "hello" })).await;
    (stack, client)
}

/// The line that says that exporting a signal fails.
async fn told(stack: &Stack, signal: &str) -> String {
    eventually(&format!("{signal} that are said to fail"), async || {
        let log = log(stack, "edge-0");
        let mut lines = log.lines();
        lines
            .find(|line| line.contains(FAILS) && line.contains(signal))
            .map(str::to_owned)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_and_metrics_arrive_where_the_authority_is_known() {
    let receivers = Receivers::start("otlp-arrives").await;
    for (protocol, endpoint) in receivers.both() {
        assert!(endpoint.starts_with("https://"));
        let (stack, _) = exporting(&endpoint, protocol, &[(CERTIFICATE, &receivers.files.ca)]).await;
        eventually(&format!("spans and metrics by {protocol}"), async || {
            (receivers.arrived(protocol) == (true, true)).then_some(())
        })
        .await;
        let log = log(&stack, "edge-0");
        assert!(!log.contains(FAILS), "{protocol}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signals_own_authority_comes_first() {
    let receivers = Receivers::start("otlp-own").await;
    for (protocol, endpoint) in receivers.both() {
        let settings = [
            (CERTIFICATE, &*receivers.other.ca),
            ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", &*receivers.files.ca),
        ];
        let (stack, _) = exporting(&endpoint, protocol, &settings).await;
        told(&stack, "metrics").await;
        eventually(&format!("spans by {protocol}"), async || {
            receivers.arrived(protocol).0.then_some(())
        })
        .await;
        assert_eq!(receivers.arrived(protocol), (true, false));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_known_is_sent_nothing_and_requests_are_served_all_the_same() {
    let receivers = Receivers::start("otlp-unknown").await;
    for (protocol, endpoint) in receivers.both() {
        // That of somebody else, and those that the system knows.
        let other = [(CERTIFICATE, &*receivers.other.ca)];
        for settings in [&other[..], &[]] {
            let (stack, client) = exporting(&endpoint, protocol, settings).await;
            for signal in ["spans", "metrics"] {
                let line = told(&stack, signal).await;
                assert!(line.contains(" WARN "), "{line}");
                assert!(line.contains(&endpoint), "{line}");
                assert!(line.contains("invalid peer certificate"), "{line}");
            }
            // Served as before, and told once.
            for _ in 0..20 {
                let result = client.tool("echo", json!({ "message": "hello" })).await;
                assert_eq!(result["content"][0]["text"], "Echo: hello");
            }
            let log = log(&stack, "edge-0");
            assert_eq!(log.matches(FAILS).count(), 2, "{log}");
            assert!(!log.contains(API_KEY), "{log}");
            assert_eq!(receivers.arrived(protocol), (false, false));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_without_a_certificate_is_refused_at_the_start() {
    let receivers = Receivers::start("otlp-unusable").await;
    let file = |name| receivers.directory.join(name);
    let (missing, empty) = (file("missing.pem"), file("empty.pem"));
    std::fs::write(&empty, "no certificate\n").unwrap();
    for (protocol, endpoint) in receivers.both() {
        for file in [&missing, &empty, &receivers.files.key] {
            let started = Command::new(tools::binary("everything").unwrap())
                .env_clear()
                .envs([(ENDPOINT, endpoint.as_str()), (PROTOCOL, protocol), ("PORT", "0")])
                .env(CERTIFICATE, file)
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .output();
            let ended = tokio::time::timeout(Duration::from_secs(20), started).await;
            let ended = ended.unwrap_or_else(|_| panic!("{protocol}: it runs with {file:?}"));
            let ended = ended.unwrap();
            let told = String::from_utf8(ended.stderr).unwrap();
            assert!(!ended.status.success(), "{protocol} {file:?}: {told}");
            assert!(told.contains(CERTIFICATE) && told.contains(text(file)), "{told}");
            assert!(!told.contains("PRIVATE KEY"), "{told}");
        }
    }
}
