//! The official Python SDK as an independent client: logs in from a bare URL and uses everything.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{process::Stdio, time::Duration};

use system_tests::{Builder, Stack, tools};
use tokio::{process::Command, time::timeout};

/// The client gives up on its own before.
const DEADLINE: Duration = Duration::from_secs(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_serves_a_python_client() {
    serves(Stack::builder().all_in_one(), "legacy").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_edges_and_two_replicas_of_each_service_serve_a_python_client() {
    serves(
        Stack::builder().processes().redis().edges(2).replicas(2),
        "legacy",
    )
    .await;
}

/// Without sessions: each request may reach another edge and another replica, also in the middle of a call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_edges_and_two_replicas_serve_a_python_client_without_a_session() {
    serves(
        Stack::builder().processes().redis().edges(2).replicas(2),
        "2026-07-28",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_client_finds_the_newest_revision() {
    serves(Stack::builder().all_in_one(), "auto").await;
}

async fn serves(stack: Builder, mode: &str) {
    // Updates come often, so that waiting for two of them takes no time.
    let stack = stack
        .setting("RESOURCE_UPDATE_PERIOD_MS", "300")
        .start()
        .await
        .unwrap();
    let client = Command::new(tools::python().unwrap())
        .args(["-m", "everything_client", &stack.url("/mcp"), "--mode", mode])
        .current_dir(tools::root().join("tests/clients/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(DEADLINE, client)
        .await
        .expect("the client ends in time")
        .unwrap();
    let text = [output.stdout, output.stderr]
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .concat();
    assert!(output.status.success(), "{text}\n{}", stack.logs());
    assert!(text.contains("checks passed"), "{text}");
}
