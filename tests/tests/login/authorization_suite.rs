//! The `authorization` command of the official conformance suite, with a real browser in front of the real pages.

use std::path::Path;

use redis_store::testing::ReservedPort;
use serde_json::{Value, json};
use system_tests::{Builder, Stack, tools};

use super::node::{self, Running};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_is_a_conforming_authorization_server() {
    conforms(Stack::builder().all_in_one(), "suite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_edges_and_two_replicas_are_a_conforming_authorization_server() {
    conforms(
        Stack::builder().in_process().redis().edges(2).replicas(2),
        "suite-replicas",
    )
    .await;
}

async fn conforms(stack: Builder, pictures: &str) {
    let stack = stack.start().await.unwrap();
    let (issuer, resource) = (stack.url(""), stack.url("/mcp"));
    let reserved = ReservedPort::new();
    let port = reserved.number();
    let callback = format!("http://127.0.0.1:{port}/callback");
    let client_id = register(&issuer, &callback).await;
    let results = stack.directory().join("authorization");
    let mut suite = tokio::process::Command::new(tools::node().unwrap());
    suite
        .arg(tools::conformance_suite().unwrap())
        .args(["authorization", "--url", &issuer, "--client-id", &client_id])
        .args(["--resource", &resource, "--port", &port.to_string()])
        .args(["--output-dir", results.to_str().unwrap()])
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    let mut suite = Running::start(&mut suite);
    let line = suite.line(|line| line.contains("/authorize?")).await;
    let page = line
        .split_whitespace()
        .find(|word| word.contains("/authorize?"))
        .unwrap();
    let directory = node::artifacts(pictures);
    let person = [
        page,
        callback.as_str(),
        "conformance",
        directory.to_str().unwrap(),
    ];
    node::run(&mut node::command("person.cjs", &person)).await;
    let status = suite.child.wait().await.unwrap();
    let mut rest = String::new();
    while let Ok(Some(line)) = suite.lines.next_line().await {
        rest.push_str(&line);
        rest.push('\n');
    }
    assert!(status.success(), "{rest}\n{}", stack.logs());
    let scenarios = read(&results);
    assert_eq!(scenarios.len(), 2, "{rest}");
    for (scenario, checks) in scenarios {
        assert!(
            checks.iter().any(|check| check["status"] == "SUCCESS"),
            "{scenario}"
        );
        for check in checks {
            let status = check["status"].as_str().unwrap();
            assert!(
                matches!(status, "SUCCESS" | "INFO"),
                "{scenario}: {check}\n{rest}"
            );
        }
    }
}

async fn register(issuer: &str, callback: &str) -> String {
    let metadata = json!({
        "client_name": "Conformance suite",
        "redirect_uris": [callback],
        "token_endpoint_auth_method": "none",
    });
    let answer = reqwest::Client::new()
        .post(format!("{issuer}/register"))
        .json(&metadata)
        .send()
        .await
        .unwrap();
    let client: Value = answer.json().await.unwrap();
    client["client_id"].as_str().unwrap().to_owned()
}

/// Each scenario leaves a directory with `checks.json`.
fn read(directory: &Path) -> Vec<(String, Vec<Value>)> {
    let mut scenarios = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let checks = entry.path().join("checks.json");
        if checks.exists() {
            let checks = serde_json::from_slice(&std::fs::read(checks).unwrap()).unwrap();
            scenarios.push((entry.file_name().to_string_lossy().into_owned(), checks));
        }
    }
    scenarios
}
