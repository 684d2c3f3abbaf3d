//! Tasks of 2026-07-28 (`io.modelcontextprotocol/tasks`), over two edges that share Redis: whatever happens to an edge, a task goes on.

use std::{process::Command, time::Duration};

use reqwest::StatusCode;
use serde_json::{Value, json};
use system_tests::{FeatureKind, Stack};
use tokio::time::{Instant, sleep};

const EXTENSION: &str = "io.modelcontextprotocol/tasks";
const PATIENCE: Duration = Duration::from_secs(20);

async fn stack() -> Stack {
    stack_with("TASK_LEASE_MS", "2500").await
}

async fn stack_with(setting: &str, value: &str) -> Stack {
    let stack = Stack::builder().processes().redis().edges(2);
    let stack = stack.feature(FeatureKind::Conformance).auth_disabled();
    let stack = stack.setting(setting, value).start().await;
    stack.unwrap_or_else(|error| panic!("{error:#}"))
}

/// The result or the error of one request to one edge.
async fn ask(stack: &Stack, edge: usize, method: &str, name: &str, params: Value) -> Result<Value, Value> {
    let answer = try_to_ask(stack, edge, method, name, params).await;
    answer.expect("the edge answers")
}

/// `None`: there was no answer, or that the server is not available.
pub(super) async fn try_to_ask(
    stack: &Stack,
    edge: usize,
    method: &str,
    name: &str,
    mut params: Value,
) -> Option<Result<Value, Value>> {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "system tests", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "extensions": {EXTENSION: {}}},
    });
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let response = reqwest::Client::new()
        .post(stack.edge_url(edge, "/mcp"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method)
        .header("mcp-name", name)
        .body(body.to_string())
        .send();
    let response = response.await.ok()?;
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    let answer: Value = response.json().await.ok()?;
    Some(match answer.get("error") {
        Some(error) => Err(error.clone()),
        None => Ok(answer["result"].clone()),
    })
}

async fn start(stack: &Stack, edge: usize, tool: &str, arguments: Value) -> String {
    let params = json!({"name": tool, "arguments": arguments});
    let task = ask(stack, edge, "tools/call", tool, params).await.unwrap();
    assert_eq!(task["resultType"], "task");
    task["taskId"].as_str().unwrap().to_owned()
}

async fn get(stack: &Stack, edge: usize, task_id: &str) -> Value {
    let params = json!({"taskId": task_id});
    ask(stack, edge, "tasks/get", task_id, params).await.unwrap()
}

async fn reaches(stack: &Stack, edge: usize, task_id: &str, status: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let task = get(stack, edge, task_id).await;
        if task["status"] == status {
            return task;
        }
        assert!(Instant::now() < until, "not {status}: {task}\n{}", stack.logs());
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_survives_the_edge_that_runs_it() {
    let mut stack = stack().await;
    let arguments = json!({"seconds": 2, "label": "survivor"});
    let task_id = start(&stack, 0, "slow_compute", arguments).await;
    stack.kill_edge(0);
    assert_eq!(get(&stack, 1, &task_id).await["status"], "working");
    let task = reaches(&stack, 1, &task_id, "completed").await;
    let text = task["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("survivor"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_outlive_the_edge_and_are_answered_at_another_one() {
    let mut stack = stack().await;
    let task_id = start(&stack, 0, "confirm_delete", json!({"filename": "a.txt"})).await;
    let task = reaches(&stack, 1, &task_id, "input_required").await;
    stack.kill_edge(0);
    let key = task["inputRequests"].as_object().unwrap().keys().next().unwrap();
    let answer = json!({key: {"action": "accept", "content": {"confirm": true}}});
    let params = json!({"taskId": task_id, "inputResponses": answer});
    ask(&stack, 1, "tasks/update", &task_id, params).await.unwrap();
    let task = reaches(&stack, 1, &task_id, "completed").await;
    assert_eq!(task["result"]["content"][0]["text"], "Deleted a.txt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_cancelled_at_another_edge() {
    let stack = stack().await;
    let task_id = start(&stack, 0, "slow_compute", json!({"seconds": 60})).await;
    let params = json!({"taskId": task_id});
    ask(&stack, 1, "tasks/cancel", &task_id, params).await.unwrap();
    assert_eq!(get(&stack, 0, &task_id).await["status"], "cancelled");
    let unknown = ask(&stack, 1, "tasks/get", "nothing", json!({"taskId": "nothing"})).await;
    assert_eq!(unknown.unwrap_err()["code"], -32602);
}

/// With such a lease nobody else would take it for minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_shuts_down_gives_its_tasks_back_at_once() {
    let stack = stack_with("TASK_LEASE_MS", "600000").await;
    let task_id = start(&stack, 0, "slow_compute", json!({"seconds": 1})).await;
    let pids = stack.pids();
    let (_, pid) = pids.iter().find(|(name, _)| name == "edge-0").unwrap();
    let told = Command::new("kill").args(["-TERM", &pid.to_string()]).status();
    assert!(told.unwrap().success());
    reaches(&stack, 1, &task_id, "completed").await;
}

/// The same for one that is killed: its link says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_of_a_killed_edge_goes_on_before_its_lease_ends() {
    let mut stack = stack_with("TASK_LEASE_MS", "600000").await;
    let task_id = start(&stack, 0, "slow_compute", json!({"seconds": 1})).await;
    stack.kill_edge(0);
    reaches(&stack, 1, &task_id, "completed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_can_be_read_until_its_task_expires() {
    let stack = stack_with("TASK_TTL", "2").await;
    let begun = Instant::now();
    let task_id = start(&stack, 0, "slow_compute", json!({"seconds": 0})).await;
    let task = reaches(&stack, 1, &task_id, "completed").await;
    assert_eq!(task["ttlMs"], 2_000);
    loop {
        let params = json!({"taskId": task_id});
        match ask(&stack, 0, "tasks/get", &task_id, params).await {
            Ok(task) => assert_eq!(task["result"]["resultType"], "complete"),
            Err(gone) => {
                assert_eq!(gone["code"], -32602);
                assert!(
                    begun.elapsed() >= Duration::from_secs(2),
                    "it was gone before its time"
                );
                return;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "it does not expire");
        sleep(Duration::from_millis(50)).await;
    }
}
