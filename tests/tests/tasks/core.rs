//! The experimental tasks of 2025-11-25: their life, whichever edge is asked, and whatever happens to edges.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::sessions::{
    RELATED_TASK, accepted, asked, assert_report, end, get, listed, reaches, research, session, start, token,
    two_edges, wait,
};

const REVISION: &str = "2025-11-25";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_becomes_a_task_and_every_edge_answers_about_it() {
    let stack = two_edges().start().await.unwrap();
    let token = token(&stack, "ada").await;
    let here = session(&stack, 0, REVISION, Some(&token)).await;
    let there = here.at(&stack.edge_url(1, "/mcp"));
    let declared = json!({ "list": {}, "cancel": {}, "requests": { "tools": { "call": {} } } });
    assert_eq!(here.server()["capabilities"]["tasks"], declared);
    let tools = here.call("tools/list", json!({})).await.unwrap();
    for tool in tools["tools"].as_array().unwrap() {
        let can = tool["name"] == "simulateResearchQuery";
        let support = can.then(|| json!({ "taskSupport": "optional" }));
        assert_eq!(tool.get("execution"), support.as_ref(), "{tool}");
    }
    assert_eq!(listed(&there).await, Vec::<String>::new());

    let mut unasked = there.get(None).await.unwrap();
    let task_id = start(&here, research(false, 1.0, json!({ "ttl": 120_000 }))).await;
    let task = get(&there, &task_id).await;
    assert_eq!(
        (&task["taskId"], &task["status"]),
        (&json!(task_id), &json!("working"))
    );
    assert_eq!(task["ttl"], 120_000);
    assert!(task["pollInterval"].is_u64() && task["createdAt"].is_string());
    assert_eq!(task.get("_meta"), None);
    assert_eq!(listed(&here).await, std::slice::from_ref(&task_id));

    // It waits, as a stream that can be resumed.
    let mut waiting = wait(&there, &task_id).await;
    assert!(waiting.next().await.unwrap().id.is_some(), "a priming event");
    assert_report(
        &end(waiting).await.unwrap(),
        &task_id,
        "# Research report: python\n",
    );
    assert_eq!(get(&here, &task_id).await["status"], "completed");
    let again = here
        .call("tasks/result", json!({ "taskId": task_id }))
        .await
        .unwrap();
    assert_report(&again, &task_id, "# Research report: python\n");

    for stage in 1..=4 {
        let progress = unasked.wait_for("notifications/progress").await;
        assert_eq!(progress["params"]["progress"], stage);
        assert_eq!(progress["params"]["progressToken"], "p");
        assert_eq!(
            progress["params"]["_meta"][RELATED_TASK]["taskId"],
            task_id.as_str()
        );
    }
    let told = unasked.wait_for("notifications/tasks/status").await;
    assert_eq!(told["params"]["taskId"], task_id.as_str());
    assert_eq!(told["params"]["status"], "completed");

    let cancel = there
        .call("tasks/cancel", json!({ "taskId": task_id }))
        .await
        .unwrap_err();
    assert_eq!(cancel["code"], -32602);
    assert!(
        cancel["message"].as_str().unwrap().contains("'completed'"),
        "{cancel}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_and_its_question_survive_the_edges_that_have_them() {
    let mut stack = two_edges().start().await.unwrap();
    let token = token(&stack, "ada").await;
    let here = session(&stack, 0, REVISION, Some(&token)).await;
    let there = here.at(&stack.edge_url(1, "/mcp"));
    // The edge that runs it is killed in the middle of a round.
    let task_id = start(&here, research(true, 3.0, json!({}))).await;
    stack.kill_edge(0);
    assert_eq!(get(&there, &task_id).await["status"], "working");
    reaches(&stack, &there, &task_id, "input_required").await;

    // The edge that asks the client is killed before there is an answer.
    let mut lost = wait(&there, &task_id).await;
    asked(&mut lost, &task_id).await;
    stack.restart("edge-0").unwrap();
    stack.kill("edge-1").unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    let mut waiting = loop {
        match here.open("tasks/result", json!({ "taskId": task_id })).await {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < until, "{error:#}\n{}", stack.logs()),
        }
        sleep(Duration::from_millis(50)).await;
    };
    let question = asked(&mut waiting, &task_id).await;
    assert_eq!(here.respond(&question, accepted()).await.unwrap().status, 202);
    let result = end(waiting).await.unwrap();
    assert_report(&result, &task_id, "# Research report: python (historical)\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_is_resumed_at_another_edge() {
    let stack = two_edges().start().await.unwrap();
    let token = token(&stack, "ada").await;
    let here = session(&stack, 0, REVISION, Some(&token)).await;
    let task_id = start(&here, research(false, 1.0, json!({}))).await;
    let mut waiting = wait(&here, &task_id).await;
    let primed = waiting.next().await.unwrap().id.unwrap();
    drop(waiting);
    let there = here.at(&stack.edge_url(1, "/mcp"));
    let resumed = there.get(Some(&primed)).await.unwrap();
    assert_report(
        &end(resumed).await.unwrap(),
        &task_id,
        "# Research report: python\n",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_its_users_and_cancelled_once() {
    let stack = two_edges().start().await.unwrap();
    let (ada, eve) = (token(&stack, "ada").await, token(&stack, "eve").await);
    let here = session(&stack, 0, REVISION, Some(&ada)).await;
    let later = session(&stack, 1, REVISION, Some(&ada)).await;
    let foreign = session(&stack, 1, REVISION, Some(&eve)).await;
    let task_id = start(&here, research(false, 200.0, json!({}))).await;
    let named = json!({ "taskId": task_id });
    for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
        let refused = foreign.call(method, named.clone()).await.unwrap_err();
        let unknown = foreign
            .call(method, json!({ "taskId": "x".repeat(32) }))
            .await
            .unwrap_err();
        assert_eq!(refused["code"], -32602, "{method}");
        assert_eq!(refused, unknown, "nothing tells them apart");
    }
    assert_eq!(listed(&foreign).await, Vec::<String>::new());
    // A task outlives its session, and is all the user's sessions'.
    here.delete().await.unwrap();
    assert_eq!(listed(&later).await, std::slice::from_ref(&task_id));

    let waiting = wait(&later.at(&stack.edge_url(0, "/mcp")), &task_id).await;
    let cancelled = later.call("tasks/cancel", named.clone()).await.unwrap();
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["taskId"], task_id.as_str());
    assert_eq!(end(waiting).await.unwrap_err()["code"], -32602);
    let again = later.call("tasks/cancel", named).await.unwrap_err();
    assert!(
        again["message"].as_str().unwrap().contains("'cancelled'"),
        "{again}"
    );
    assert_eq!(get(&later, &task_id).await["status"], "cancelled");
    let bad: Value = later
        .call("tasks/list", json!({ "cursor": "none of ours" }))
        .await
        .unwrap_err();
    assert_eq!(bad["code"], -32602);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_can_be_read_until_the_task_expires() {
    let stack = two_edges().setting("TASK_TTL", "600").start().await.unwrap();
    let token = token(&stack, "ada").await;
    let client = session(&stack, 0, REVISION, Some(&token)).await;
    let long = start(&client, research(false, 0.0, json!({ "ttl": 100_000_000 }))).await;
    assert_eq!(
        get(&client, &long).await["ttl"],
        600_000,
        "no longer than the setting"
    );
    let begun = Instant::now();
    let short = start(&client, research(false, 0.0, json!({ "ttl": 2_000 }))).await;
    loop {
        match client.call("tasks/result", json!({ "taskId": short })).await {
            Ok(result) => assert_report(&result, &short, "# Research report"),
            Err(gone) => {
                assert_eq!(gone["code"], -32602);
                break;
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert!(
        begun.elapsed() >= Duration::from_secs(2),
        "it was gone before its time"
    );
    assert_eq!(listed(&client).await, [long]);
}
