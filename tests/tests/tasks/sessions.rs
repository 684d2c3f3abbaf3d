//! What the scenarios of 2025-11-25 have in common: a stack of processes with two edges, and sessions on it.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::{
    Browser, Builder, Stack,
    client::{McpClient, SseStream},
};
use tokio::time::{Instant, sleep};

pub const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";
pub const RESEARCH: &str = "simulateResearchQuery";
const PATIENCE: Duration = Duration::from_secs(20);

/// Two edges and two replicas of each service. A task whose edge died is taken over soon.
pub fn two_edges() -> Builder {
    Stack::builder()
        .processes()
        .redis()
        .edges(2)
        .replicas(2)
        .setting("TASK_LEASE_MS", "2500")
}

pub async fn token(stack: &Stack, user: &str) -> String {
    let mut browser = Browser::of(user).unwrap();
    browser.log_in(&stack.url("/mcp")).await.unwrap().access_token
}

/// A session whose client fills in forms.
pub async fn session(stack: &Stack, edge: usize, revision: &str, token: Option<&str>) -> McpClient {
    let able = json!({ "elicitation": {} });
    McpClient::connect(&stack.edge_url(edge, "/mcp"), revision, able, token)
        .await
        .unwrap()
}

pub fn research(ambiguous: bool, duration: f64, task: Value) -> Value {
    json!({
        "name": RESEARCH,
        "arguments": { "topic": "python", "ambiguous": ambiguous, "duration": duration },
        "task": task,
        "_meta": { "progressToken": "p" },
    })
}

/// Starts a task and answers with its id.
pub async fn start(client: &McpClient, call: Value) -> String {
    let created = client.call("tools/call", call).await.unwrap();
    assert_eq!(created["task"]["status"], "working", "{created}");
    let task_id = created["task"]["taskId"].as_str().unwrap().to_owned();
    assert_eq!(created["_meta"][RELATED_TASK], json!({ "taskId": task_id }));
    task_id
}

pub async fn get(client: &McpClient, task_id: &str) -> Value {
    client
        .call("tasks/get", json!({ "taskId": task_id }))
        .await
        .unwrap()
}

pub async fn reaches(stack: &Stack, client: &McpClient, task_id: &str, status: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let task = get(client, task_id).await;
        if task["status"] == status {
            return task;
        }
        assert!(Instant::now() < until, "not {status}: {task}\n{}", stack.logs());
        sleep(Duration::from_millis(50)).await;
    }
}

/// A `tasks/result` that waits.
pub async fn wait(client: &McpClient, task_id: &str) -> SseStream {
    client
        .open("tasks/result", json!({ "taskId": task_id }))
        .await
        .unwrap()
}

/// The question on the stream of a `tasks/result`.
pub async fn asked(stream: &mut SseStream, task_id: &str) -> Value {
    let question = stream.wait_for("elicitation/create").await;
    assert_eq!(
        question["params"]["_meta"][RELATED_TASK],
        json!({ "taskId": task_id })
    );
    question["id"].clone()
}

pub fn accepted() -> Value {
    json!({ "action": "accept", "content": { "interpretation": "historical" } })
}

/// The answer at the end of a stream.
pub async fn end(mut stream: SseStream) -> Result<Value, Value> {
    let mut messages = stream.messages().await;
    let mut answer = messages.pop().unwrap();
    match answer.get_mut("error") {
        Some(error) => Err(error.take()),
        None => Ok(answer["result"].take()),
    }
}

/// The report of a task, which says which task it is of.
pub fn assert_report(result: &Value, task_id: &str, begins: &str) {
    assert_eq!(
        result["_meta"][RELATED_TASK],
        json!({ "taskId": task_id }),
        "{result}"
    );
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with(begins), "{text}");
}

pub async fn listed(client: &McpClient) -> Vec<String> {
    let page = client.call("tasks/list", json!({})).await.unwrap();
    assert_eq!(page.get("nextCursor"), None);
    let ids = page["tasks"].as_array().unwrap().iter();
    ids.map(|task| task["taskId"].as_str().unwrap().to_owned())
        .collect()
}
