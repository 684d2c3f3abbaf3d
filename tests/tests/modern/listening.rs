//! `subscriptions/listen`.

use std::{process::Command, time::Duration};

use serde_json::{Value, json};
use system_tests::{Browser, Stack};

use super::client::{Modern, SUBSCRIPTION_ID};

const WATCHED: &str = "test://static/resource/1";

fn everything() -> Value {
    json!({
        "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true,
        "resourceSubscriptions": [WATCHED],
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_any_replica_reach_those_who_listen_and_whom_they_concern() {
    let stack = Stack::builder().processes().redis().edges(2).replicas(2);
    let stack = stack
        .setting("RESOURCE_UPDATE_PERIOD_MS", "0")
        .start()
        .await
        .unwrap();
    let url = stack.url("/mcp");
    let mut people = Vec::new();
    for user in ["ada", "bob"] {
        let tokens = Browser::of(user).unwrap().log_in(&url).await.unwrap();
        people.push(Modern::new(&url, Some(&tokens.access_token)));
    }
    let (ada, bob) = (&people[0], &people[1]);
    // Several at once, each under its own id, on both edges.
    let edge = |n| ada.at(&stack.edge_url(n, "/mcp"));
    let (mut tools, told) = edge(0)
        .listen(json!(7), json!({ "toolsListChanged": true }))
        .await;
    assert_eq!(
        told["params"],
        json!({ "notifications": { "toolsListChanged": true }, "_meta": { SUBSCRIPTION_ID: 7 } })
    );
    let (mut prompts, _) = edge(1)
        .listen(json!("p"), json!({ "promptsListChanged": true }))
        .await;
    let (mut foreign, told) = bob.listen(json!(1), everything()).await;
    assert_eq!(told["params"]["notifications"], everything());

    for _ in 0..2 {
        for on in [true, false] {
            for tool in ["switchExtraTool", "switchExtraPrompt"] {
                let switched = ada.tool(tool, json!({ "on": on })).await;
                assert_eq!(switched.status, 200, "{}", switched.text());
            }
            for (stream, method, id) in [
                (&mut tools, "notifications/tools/list_changed", json!(7)),
                (&mut prompts, "notifications/prompts/list_changed", json!("p")),
            ] {
                let message = stream.message().await;
                assert_eq!(message["method"], method);
                assert_eq!(message["params"]["_meta"][SUBSCRIPTION_ID], id);
            }
            let listed = ada.ask("tools/list", json!({})).await.result().unwrap();
            let listed = listed["tools"].as_array().unwrap();
            assert_eq!(listed.iter().any(|tool| tool["name"] == "extraTool"), on);
        }
    }
    let heard = foreign.drain_for(Duration::from_millis(200)).await;
    assert!(heard.is_empty(), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_was_asked_for_and_exists_is_told() {
    let stack = Stack::builder()
        .processes()
        .redis()
        .edges(2)
        .replicas(2)
        .auth_disabled();
    let stack = stack
        .setting("RESOURCE_UPDATE_PERIOD_MS", "100")
        .start()
        .await
        .unwrap();
    let modern = Modern::new(&stack.url("/mcp"), None);
    let filter = json!({ "resourceSubscriptions": [WATCHED, "test://static/resource/999"] });
    let (mut watching, told) = modern.listen(json!(1), filter).await;
    assert_eq!(
        told["params"]["notifications"],
        json!({ "resourceSubscriptions": [WATCHED] })
    );
    let (mut silent, told) = modern.listen(json!(2), json!({})).await;
    assert_eq!(told["params"]["notifications"], json!({}));
    for _ in 0..3 {
        let message = watching.message().await;
        assert_eq!(message["method"], "notifications/resources/updated");
        assert_eq!(message["params"]["uri"], WATCHED);
        assert_eq!(message["params"]["_meta"][SUBSCRIPTION_ID], 1);
    }
    assert!(silent.drain_for(Duration::from_millis(50)).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_stream_is_kept_alive_and_a_shutdown_ends_it_with_a_result() {
    let stack = Stack::builder().processes().redis().auth_disabled();
    let stack = stack.setting("SSE_KEEP_ALIVE_SECS", "0.1").start().await.unwrap();
    let modern = Modern::new(&stack.edge_url(0, "/mcp"), None);
    let (mut stream, _) = modern
        .listen(json!("last"), json!({ "toolsListChanged": true }))
        .await;
    stream.comments(3).await;
    let pids = stack.pids();
    let (_, pid) = pids.iter().find(|(name, _)| name == "edge-0").unwrap();
    let sent = Command::new("kill").args(["-TERM", &pid.to_string()]).status();
    assert!(sent.unwrap().success());
    let last = stream.messages().await;
    assert_eq!(last.len(), 1, "{last:?}");
    assert_eq!(last[0]["id"], "last");
    assert_eq!(last[0]["result"]["resultType"], "complete");
    assert_eq!(last[0]["result"]["_meta"][SUBSCRIPTION_ID], "last");
}
