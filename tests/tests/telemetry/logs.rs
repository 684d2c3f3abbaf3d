//! Logs for machines: what a request, a session, a login and the end of a process leave behind.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use system_tests::{Browser, Stack, client::McpClient};

use super::seen::{eventually, log};

/// As logs write ids.
fn hashed(id: &str) -> String {
    let digest = Sha256::digest(id);
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lines(stack: &Stack, part: &str) -> Vec<Value> {
    let log = log(stack, part);
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The lines with this message, once there are any that `wanted` accepts.
async fn line(stack: &Stack, part: &str, message: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(message, async || {
        lines(stack, part)
            .into_iter()
            .find(|line| line["message"] == message && wanted(line))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_can_be_followed_through_the_logs_of_every_process() {
    let stack = Stack::builder()
        .processes()
        .redis()
        .setting("LOG_FORMAT", "json")
        .setting("RUST_LOG", "info")
        .start()
        .await
        .unwrap();
    let mcp = stack.url("/mcp");
    let tokens = Browser::of("alice").unwrap().log_in(&mcp).await.unwrap();
    let user = hashed("alice");
    let registered = line(&stack, "auth-0", "client registered", |_| true).await;
    assert_eq!(registered["client_id"], tokens.client_id);
    line(&stack, "auth-0", "login succeeded", |line| line["user"] == user).await;
    line(&stack, "auth-0", "token issued", |line| {
        line["grant_type"] == "authorization_code"
    })
    .await;
    let http = reqwest::Client::new();
    let wrong = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "wrong"),
        ("client_id", &tokens.client_id),
    ];
    http.post(&tokens.token_endpoint)
        .form(&wrong)
        .send()
        .await
        .unwrap();
    line(&stack, "auth-0", "token refused", |line| {
        line["error"] == "invalid_grant"
    })
    .await;

    let client = McpClient::connect(&mcp, "2025-11-25", json!({}), Some(&tokens.access_token))
        .await
        .unwrap();
    client.tool("echo", json!({ "message": "hello" })).await;
    assert_eq!(client.delete().await.unwrap().status, 204);
    let session = hashed(client.session_id());
    let created = line(&stack, "session-0", "session created", |line| {
        line["session"] == session
    })
    .await;
    assert_eq!(
        (&created["user"], &created["version"]),
        (&json!(user), &json!("2025-11-25"))
    );
    line(&stack, "session-0", "session deleted", |line| {
        line["session"] == session
    })
    .await;

    let request = line(&stack, "edge-0", "request", |line| {
        line["mcp_method"] == "tools/call"
    })
    .await;
    assert_eq!(
        (&request["method"], &request["status"]),
        (&json!("POST"), &json!(200))
    );
    assert_eq!(
        (&request["session"], &request["user"]),
        (&json!(session), &json!(user))
    );
    assert!(request["bytes"].as_u64().unwrap() > 0 && request["duration_ms"].is_u64());
    assert_eq!(request["trace_id"].as_str().unwrap().len(), 32);
    // The same trace as in the session service, whose line is within it.
    let began = line(&stack, "edge-0", "request", |line| {
        line["mcp_method"] == "initialize"
    })
    .await;
    assert_eq!(created["trace_id"], began["trace_id"]);
    assert_eq!(created["span_id"].as_str().unwrap().len(), 16);
    for part in ["edge-0", "auth-0", "session-0", "feature-0"] {
        for line in lines(&stack, part) {
            for member in ["timestamp", "level", "target", "message"] {
                assert!(line[member].is_string(), "{part}: {line}");
            }
        }
    }
}

/// The parts of one process stop in order, which is nothing to warn of: with a client that listens and one that rests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_end_is_quiet() {
    for signal in ["TERM", "INT"] {
        let stack = Stack::builder()
            .all_in_one()
            .redis()
            .setting("LOG_FORMAT", "json")
            .setting("RUST_LOG", "info");
        let mut stack = stack.start().await.unwrap();
        let mcp = stack.url("/mcp");
        let tokens = Browser::of("alice").unwrap().log_in(&mcp).await.unwrap();
        let token = Some(&*tokens.access_token);
        let listening = McpClient::connect(&mcp, "2025-11-25", json!({}), token)
            .await
            .unwrap();
        let mut stream = listening.get(None).await.unwrap();
        stream.next().await.unwrap();
        let resting = McpClient::connect(&mcp, "2025-03-26", json!({}), token)
            .await
            .unwrap();
        resting.tool("echo", json!({ "message": "hello" })).await;

        stack.signal("edge-0", signal).unwrap();
        let status = eventually("the end of the process", async || stack.ended("edge-0").unwrap()).await;
        assert!(status.success(), "{signal}: {status}");
        let log = log(&stack, "edge-0");
        let end = log.lines().skip_while(|line| !line.contains("shutting down"));
        let lines = end.map(|line| serde_json::from_str(line).unwrap());
        let lines = lines.collect::<Vec<Value>>();
        assert!(!lines.is_empty(), "{signal}: {log}");
        let loud = lines
            .iter()
            .filter(|line| line["level"] != "INFO")
            .collect::<Vec<_>>();
        assert!(loud.is_empty(), "{signal}: {loud:#?}");
    }
}
