use std::process::Command;

use reqwest::{Client, StatusCode};
use serde_json::json;
use system_tests::{Stack, client::McpClient, tools};

use super::seen::{admin, log};

async fn stack() -> Stack {
    Stack::builder()
        .all_in_one()
        .auth_disabled()
        .setting("ADMIN_ADDR", "127.0.0.1:0")
        .setting("RUST_LOG", "info")
        .start()
        .await
        .unwrap()
}

/// Levels change while the process runs, and only to what can be used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_levels_change_while_the_process_runs() {
    let stack = stack().await;
    let (http, levels) = (Client::new(), admin(&stack, "edge-0", "/log-level").await);
    let now = async || http.get(&levels).send().await.unwrap().text().await.unwrap();
    let set =
        async |directives: &'static str| http.put(&levels).body(directives).send().await.unwrap().status();
    assert_eq!(now().await, "info\n");

    let client = McpClient::connect(&stack.url("/mcp"), "2025-11-25", json!({}), None)
        .await
        .unwrap();
    let requests = || log(&stack, "edge-0").matches(" request ").count();
    assert!(requests() > 0, "{}", log(&stack, "edge-0"));

    for bad in ["", "everything_edge=loud", "a=b=c"] {
        assert_eq!(set(bad).await, StatusCode::BAD_REQUEST, "{bad:?}");
    }
    assert_eq!(now().await, "info\n");

    assert_eq!(set("warn").await, StatusCode::OK);
    assert_eq!(now().await, "warn\n");
    let before = requests();
    client.tool("echo", json!({ "message": "quiet" })).await;
    assert_eq!(requests(), before);

    let too_long = "x".repeat(5000);
    let answer = http.put(&levels).body(too_long).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let answer = http.delete(&levels).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    // A page in somebody's browser must not do it.
    let answer = http.put(&levels).header("origin", "http://localhost").body("off");
    assert_eq!(answer.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(now().await, "warn\n");
}

/// The admin listener asks nobody who they are, so others reach it only where that was said.
#[test]
fn the_admin_listener_is_for_this_machine_unless_told() {
    let refused = Command::new(tools::binary("everything").unwrap())
        .env_clear()
        .envs([("PORT", "0"), ("ADMIN_ADDR", "0.0.0.0:0")])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(
        text.contains("ADMIN_ADDR") && text.contains("ADMIN_ALLOW_REMOTE=true"),
        "{text}"
    );
}
