//! The same files, run: containers with the root file system, user, environment, command, volumes, names and health
//! checks that they say.

use std::collections::HashMap;

use serde_json::{Value, json};
use system_tests::{Browser, client::McpClient, compose::Containers};
use tokio::net::TcpListener;

/// A port of this machine, and the variables that make it the server's address.
async fn published(more: &[(&str, &str)]) -> (TcpListener, String, HashMap<String, String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let variables = more.iter().copied().chain([("BASE_URI", origin.as_str())]);
    let variables = variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    (listener, origin, variables)
}

async fn client(origin: &str, user: &str) -> McpClient {
    let mcp = format!("{origin}/mcp");
    let tokens = Browser::of(user).unwrap().log_in(&mcp).await.unwrap();
    let capabilities = json!({ "elicitation": {}, "sampling": {} });
    McpClient::connect(&mcp, "2025-11-25", capabilities, Some(&tokens.access_token))
        .await
        .unwrap()
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stack_comes_up_as_it_is_written() {
    let (listener, origin, variables) = published(&[]).await;
    let stack = Containers::up(&variables, &[], &[], listener, "edge")
        .await
        .unwrap();
    let ready = reqwest::get(format!("{origin}/readyz")).await.unwrap();
    assert_eq!(ready.status(), 200);
    let client = client(&origin, "compose").await;
    let echoed = client.tool("echo", json!({ "message": "composed" })).await;
    assert_eq!(echoed["content"][0]["text"], "Echo: composed");
    // What the README tells people to look at.
    let keys = stack
        .exec("redis-1", &words("redis-cli --raw KEYS session:*:owner"))
        .await
        .unwrap();
    assert_eq!(keys.trim(), format!("session:{{{}}}:owner", client.session_id()));
    // Nothing of ours can write where it lives.
    for name in ["edge-1", "auth-1", "session-1", "feature-1"] {
        let program = format!("/usr/local/bin/everything-{}", name.trim_end_matches("-1"));
        assert!(
            stack.exec(name, &[program, "healthcheck".into()]).await.is_ok(),
            "{name}"
        );
    }
}

/// Several of each behind the reverse proxy: what one edge seals another opens, and a dead one is not noticed.
#[tokio::test(flavor = "multi_thread")]
async fn it_scales_behind_the_proxy() {
    let (listener, origin, variables) = published(&[("EDGE_PORT", "0")]).await;
    let scale = [("edge", 2), ("feature", 3)];
    let mut stack = Containers::up(&variables, &["proxy"], &scale, listener, "proxy")
        .await
        .unwrap();
    assert_eq!(
        stack.names().len(),
        1 + 1 + 1 + 3 + 1 + 2 + 1,
        "{:?}",
        stack.names()
    );
    let client = client(&origin, "scaled").await;
    for round in 0..4 {
        let echoed = client.tool("echo", json!({ "message": round.to_string() })).await;
        assert_eq!(echoed["content"][0]["text"], format!("Echo: {round}"));
    }
    // The proxy hands requests to the edges in turn, so that two rounds of one call meet two edges.
    for _ in 0..2 {
        let asked = modern(&client, json!({}), None).await;
        assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
        let state = asked["result"]["requestState"].clone();
        let key = asked["result"]["inputRequests"]
            .as_object()
            .unwrap()
            .keys()
            .next()
            .unwrap()
            .clone();
        let answer = json!({ key: { "action": "decline" } });
        let done = modern(&client, answer, Some(state)).await;
        assert!(done["result"]["content"].is_array(), "{done}");
    }
    stack.kill("edge-1").unwrap();
    stack.kill("feature-2").unwrap();
    for round in 0..6 {
        let echoed = client.tool("echo", json!({ "message": round.to_string() })).await;
        assert_eq!(echoed["content"][0]["text"], format!("Echo: {round}"));
    }
}

/// One round of a call that asks its user.
async fn modern(client: &McpClient, answers: Value, state: Option<Value>) -> Value {
    let mut params = json!({
        "name": "elicitInSteps", "arguments": {},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "compose", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
        },
    });
    if let Some(state) = state {
        params["inputResponses"] = answers;
        params["requestState"] = state;
    }
    let request = client
        .with_session(None)
        .with_version(Some("2026-07-28"))
        .prepare(http::Method::POST)
        .header("content-type", "application/json")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "elicitInSteps")
        .body(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string());
    request.send().await.unwrap().json().await.unwrap()
}
