//! Clients with and without sessions on one URL, and what each is refused.

use futures::future::join_all;
use serde_json::{Value, json};
use system_tests::{Stack, client::McpClient};

use super::client::{
    CLIENT_CAPABILITIES, CLIENT_INFO, Modern, PROTOCOL_VERSION, SUBSCRIPTION_ID, VERSION, send, with_meta,
};

async fn stack() -> Stack {
    Stack::builder()
        .in_process()
        .auth_disabled()
        .start()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_eras_are_served_at_the_same_time() {
    let stack = stack().await;
    let url = stack.url("/mcp");
    let modern = Modern::new(&url, None);
    let each = (0..20).map(|n| {
        let (modern, url) = (modern.clone(), url.clone());
        async move {
            let message = json!({ "message": format!("{n}") });
            if n % 2 == 0 {
                let answer = modern.tool("echo", message).await;
                assert_eq!(answer.status, 200);
                assert_eq!(answer.header("mcp-session-id"), None);
                let result = answer.result().unwrap();
                assert_eq!(result["resultType"], "complete");
                result["content"][0]["text"].clone()
            } else {
                let revision = ["2025-03-26", "2025-06-18", "2025-11-25"][n % 3];
                let legacy = McpClient::connect(&url, revision, json!({}), None).await.unwrap();
                let result = legacy.tool("echo", message).await;
                assert_eq!(result.get("resultType"), None);
                result["content"][0]["text"].clone()
            }
        }
    });
    for (n, text) in join_all(each).await.into_iter().enumerate() {
        assert_eq!(text, format!("Echo: {n}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovery_tells_all_versions_and_results_tell_who_answered() {
    let stack = stack().await;
    let modern = Modern::new(&stack.url("/mcp"), None);
    let discovered = modern.ask("server/discover", json!({})).await.result().unwrap();
    assert_eq!(
        discovered["supportedVersions"],
        json!([VERSION, "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])
    );
    assert_eq!(discovered["capabilities"]["tools"]["listChanged"], true);
    for method in ["server/discover", "tools/list", "prompts/list", "resources/list"] {
        let (one, two) = (
            modern.ask(method, json!({})).await,
            modern.ask(method, json!({})).await,
        );
        let result = one.result().unwrap();
        assert_eq!(result, two.result().unwrap(), "the order is fixed");
        assert!(
            result["ttlMs"].is_u64() && result["cacheScope"].is_string(),
            "{method}"
        );
        let server = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert_eq!(server["name"], "everything-server", "{method}");
        assert_eq!(result["_meta"].get(SUBSCRIPTION_ID), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_of_sessions_are_not_found() {
    let stack = stack().await;
    let modern = Modern::new(&stack.url("/mcp"), None);
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "no/such",
    ] {
        let answer = modern
            .ask(method, json!({ "uri": "test://static/resource/1" }))
            .await;
        assert_eq!((answer.status, answer.error_code()), (404, -32601), "{method}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_version_is_told_which_are_served() {
    let stack = stack().await;
    let modern = Modern::new(&stack.url("/mcp"), None);
    let params = with_meta(json!({ "_meta": { PROTOCOL_VERSION: "2031-01-01" } }));
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params });
    let request = modern
        .bare(&body)
        .header("mcp-protocol-version", "2031-01-01")
        .header("mcp-method", "tools/list");
    let answer = send(request).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    let error = answer.result().unwrap_err();
    assert_eq!(error["code"], -32022);
    assert_eq!(error["data"]["requested"], "2031-01-01");
    assert_eq!(error["data"]["supported"][0], VERSION);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_must_say_who_asks_and_in_which_version() {
    let stack = stack().await;
    let modern = Modern::new(&stack.url("/mcp"), None);
    for missing in [PROTOCOL_VERSION, CLIENT_CAPABILITIES] {
        let mut params = with_meta(json!({}));
        params["_meta"].as_object_mut().unwrap().remove(missing);
        let answer = send(modern.prepare(&json!(1), "tools/list", &params)).await;
        assert_eq!(
            (answer.status, answer.error_code()),
            (400, -32602),
            "without {missing}: {}",
            answer.text()
        );
    }
    for (name, wrong) in [
        (CLIENT_CAPABILITIES, json!([])),
        (CLIENT_INFO, json!("me")),
        (CLIENT_CAPABILITIES, Value::Null),
    ] {
        let params = with_meta(json!({ "_meta": { name: wrong } }));
        let answer = send(modern.prepare(&json!(1), "tools/list", &params)).await;
        assert_eq!(
            (answer.status, answer.error_code()),
            (400, -32602),
            "{name}: {wrong}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_asked_of_a_client_that_cannot_answer() {
    let stack = stack().await;
    let modern = Modern::new(&stack.url("/mcp"), None);
    for (tool, arguments, required) in [
        (
            "elicitInSteps",
            json!({}),
            json!({ "elicitation": { "form": {} } }),
        ),
        ("sampleLLM", json!({ "prompt": "p" }), json!({ "sampling": {} })),
        ("getRoots", json!({}), json!({ "roots": {} })),
    ] {
        let params = json!({ "name": tool, "arguments": arguments, "_meta": { CLIENT_CAPABILITIES: {} } });
        let answer = modern.ask("tools/call", params).await;
        assert_eq!(answer.status, 400, "{tool}");
        let error = answer.result().unwrap_err();
        assert_eq!(error["code"], -32021, "{tool}");
        assert_eq!(error["data"]["requiredCapabilities"], required, "{tool}");
    }
}
