//! What a session has to do with the tasks of 2025-11-25: questions, refusals, and who has no tasks at all.

use serde_json::{Value, json};
use system_tests::{FeatureKind, Stack, client::McpClient};

use super::sessions::{
    RELATED_TASK, RESEARCH, accepted, asked, assert_report, end, get, reaches, research, session, start, wait,
};

const REVISION: &str = "2025-11-25";

/// Two edges in this process; everybody is the same user.
async fn stack(feature: FeatureKind) -> Stack {
    let stack = Stack::builder()
        .in_process()
        .edges(2)
        .feature(feature)
        .auth_disabled();
    stack.start().await.unwrap()
}

async fn waiting_for_input(stack: &Stack, client: &McpClient) -> String {
    let task_id = start(client, research(true, 0.0, json!({}))).await;
    reaches(stack, client, &task_id, "input_required").await;
    task_id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_lets_the_task_go_on_and_takes_back_what_was_asked_elsewhere() {
    let stack = stack(FeatureKind::Everything).await;
    let here = session(&stack, 0, REVISION, None).await;
    let there = here.at(&stack.edge_url(1, "/mcp"));
    let task_id = waiting_for_input(&stack, &here).await;
    let (mut one, mut two) = (wait(&here, &task_id).await, wait(&there, &task_id).await);
    let question = asked(&mut one, &task_id).await;
    let moot = asked(&mut two, &task_id).await;
    // To whichever edge.
    assert_eq!(there.respond(&question, accepted()).await.unwrap().status, 202);
    let taken_back = two.wait_for("notifications/cancelled").await;
    assert_eq!(taken_back["params"]["requestId"], moot);
    assert_eq!(
        taken_back["params"]["_meta"][RELATED_TASK]["taskId"],
        task_id.as_str()
    );
    for stream in [one, two] {
        let result = end(stream).await.unwrap();
        assert_report(&result, &task_id, "# Research report: python (historical)\n");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_question_fails_the_task_with_that_error() {
    let stack = stack(FeatureKind::Everything).await;
    let client = session(&stack, 0, REVISION, None).await;
    let task_id = waiting_for_input(&stack, &client).await;
    let mut stream = wait(&client, &task_id).await;
    let question = asked(&mut stream, &task_id).await;
    client
        .respond_error(&question, -1, "the user said no")
        .await
        .unwrap();
    let error = end(stream).await.unwrap_err();
    assert_eq!(error["code"], -1);
    assert!(error["message"].as_str().unwrap().contains("the user said no"));
    let task = get(&client, &task_id).await;
    assert_eq!(task["status"], "failed");
    assert!(
        task["statusMessage"]
            .as_str()
            .unwrap()
            .contains("the user said no")
    );
    let again = client.call("tasks/result", json!({ "taskId": task_id })).await;
    assert_eq!(again.unwrap_err(), error);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_that_is_cancelled_leaves_the_task_alone() {
    let stack = stack(FeatureKind::Everything).await;
    let client = session(&stack, 0, REVISION, None).await;
    let task_id = waiting_for_input(&stack, &client).await;
    let params = json!({ "taskId": task_id });
    let mut stream = client.open_as(json!("w"), "tasks/result", params).await.unwrap();
    asked(&mut stream, &task_id).await;
    let cancelled = json!({ "requestId": "w" });
    client.notify("notifications/cancelled", cancelled).await.unwrap();
    assert_eq!(stream.messages().await, Vec::<Value>::new());
    assert_eq!(get(&client, &task_id).await["status"], "input_required");
    let mut stream = wait(&client, &task_id).await;
    let question = asked(&mut stream, &task_id).await;
    client
        .respond(&question, json!({ "action": "decline" }))
        .await
        .unwrap();
    assert_report(
        &end(stream).await.unwrap(),
        &task_id,
        "# Research report: python\n",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_tools_that_can_are_run_as_tasks_and_only_in_this_revision() {
    let stack = stack(FeatureKind::Everything).await;
    let client = session(&stack, 0, REVISION, None).await;
    let echo = json!({ "name": "echo", "arguments": { "message": "m" }, "task": {} });
    assert_eq!(
        client.call("tools/call", echo.clone()).await.unwrap_err()["code"],
        -32601
    );
    let wrong = research(false, 0.0, json!({ "ttl": "long" }));
    assert_eq!(
        client.call("tools/call", wrong).await.unwrap_err()["code"],
        -32602
    );
    // Without logins nobody's tasks are listed.
    assert_eq!(client.server()["capabilities"]["tasks"].get("list"), None);
    assert_eq!(
        client.call("tasks/list", json!({})).await.unwrap_err()["code"],
        -32601
    );
    let mut plain = research(true, 0.0, json!({}));
    plain.as_object_mut().unwrap().remove("task");
    let mut stream = client.open("tools/call", plain).await.unwrap();
    let question = stream.wait_for("elicitation/create").await;
    assert_eq!(question["params"].get("_meta"), None);
    client.respond(&question["id"], accepted()).await.unwrap();
    assert_eq!(end(stream).await.unwrap().get("_meta"), None);

    let task_id = start(&client, research(false, 0.0, json!({}))).await;
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18"] {
        let older = session(&stack, 1, revision, None).await;
        assert_eq!(older.server()["capabilities"].get("tasks"), None);
        let tools = older.call("tools/list", json!({})).await.unwrap();
        assert!(!tools.to_string().contains("taskSupport"));
        assert!(tools.to_string().contains(RESEARCH));
        let result = older.call("tools/call", echo.clone()).await.unwrap();
        assert_eq!(result["content"][0]["text"], "Echo: m");
        for method in ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"] {
            let refused = older
                .call(method, json!({ "taskId": task_id }))
                .await
                .unwrap_err();
            assert_eq!(refused["code"], -32601, "{revision} {method}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_insists_runs_as_a_task_only_and_its_error_fails_the_task() {
    let stack = stack(FeatureKind::Conformance).await;
    let client = session(&stack, 0, REVISION, None).await;
    let plain = json!({ "name": "failing_job", "arguments": {} });
    assert_eq!(
        client.call("tools/call", plain).await.unwrap_err()["code"],
        -32601
    );
    for (tool, outcome) in [("failing_job", Ok(true)), ("protocol_error_job", Err(-32603))] {
        let call = json!({ "name": tool, "arguments": {}, "task": {} });
        let task_id = start(&client, call).await;
        let task = reaches(&stack, &client, &task_id, "failed").await;
        assert!(task["statusMessage"].is_string(), "{task}");
        let result = client.call("tasks/result", json!({ "taskId": task_id })).await;
        let result = result
            .map(|result| result["isError"] == true)
            .map_err(|error| error["code"].as_i64().unwrap());
        assert_eq!(result, outcome, "{tool}");
    }
}
