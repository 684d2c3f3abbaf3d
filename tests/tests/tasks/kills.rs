//! Tasks while one process after the other is killed and started again: each that a client was told of ends well.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::{FeatureKind, Stack};
use tokio::time::{Instant, sleep};

use super::extension::try_to_ask;

const PATIENCE: Duration = Duration::from_secs(60);
/// Each is killed several times, right after tasks began at both edges.
const PARTS: [&str; 6] = [
    "edge-0",
    "session-0",
    "feature-0",
    "edge-1",
    "session-1",
    "feature-1",
];
const KILLS: usize = 24;

/// A task that a client knows, and the text that its result has.
struct Begun {
    task_id: String,
    text: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_task_ends_well_whoever_is_killed() {
    let stack = Stack::builder().processes().redis().edges(2).replicas(2);
    let stack = stack.feature(FeatureKind::Conformance).auth_disabled();
    let mut stack = stack.start().await.unwrap();
    let mut begun = Vec::new();
    for kill in 0..KILLS {
        for edge in 0..2 {
            let label = format!("{kill}-{edge}");
            let computing = json!({"seconds": 0.7, "label": label});
            begun.extend(begin(&stack, edge, "slow_compute", computing, &label).await);
            let file = format!("{label}.txt");
            begun.extend(begin(&stack, edge, "confirm_delete", json!({"filename": file}), &file).await);
        }
        let part = PARTS[kill % PARTS.len()];
        stack.kill(part).unwrap();
        stack.restart(part).unwrap();
    }
    // One edge in a moment, or one of the services, cannot begin tasks; all others can.
    assert!(begun.len() >= KILLS, "{} tasks began", begun.len());
    for task in begun {
        let text = result(&stack, &task.task_id).await;
        assert!(text.contains(&task.text), "{text} is not of {}", task.text);
    }
}

/// `None`: nobody was told of a task.
async fn begin(stack: &Stack, edge: usize, tool: &str, arguments: Value, text: &str) -> Option<Begun> {
    let params = json!({"name": tool, "arguments": arguments});
    let task = try_to_ask(stack, edge, "tools/call", tool, params)
        .await?
        .unwrap();
    Some(Begun {
        task_id: task["taskId"].as_str().unwrap().to_owned(),
        text: text.to_owned(),
    })
}

/// Asked for at one edge and the other, and told what it asks for.
async fn result(stack: &Stack, task_id: &str) -> String {
    let until = Instant::now() + PATIENCE;
    let (mut edge, mut last) = (0, None);
    loop {
        assert!(
            Instant::now() < until,
            "it does not end: {last:?}\n{}",
            stack.logs()
        );
        edge = 1 - edge;
        let params = json!({"taskId": task_id});
        let Some(task) = try_to_ask(stack, edge, "tasks/get", task_id, params).await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let task = last.insert(task.unwrap());
        match task["status"].as_str().unwrap() {
            "completed" => return task["result"]["content"][0]["text"].to_string(),
            "input_required" => {
                let keys = task["inputRequests"].as_object().unwrap().keys();
                let answer = json!({"action": "accept", "content": {"confirm": true}});
                let answers: serde_json::Map<_, _> = keys.map(|key| (key.clone(), answer.clone())).collect();
                let params = json!({"taskId": task_id, "inputResponses": answers});
                _ = try_to_ask(stack, edge, "tasks/update", task_id, params).await;
            }
            "working" => sleep(Duration::from_millis(20)).await,
            other => panic!("{other}: {task}"),
        }
    }
}
