//! Tokens that were given for less.

use serde_json::{Value, json};
use system_tests::{Browser, Stack};

use super::wire::{Answer, NEWEST, Session};

/// A user whose token has only these scopes.
async fn with_scope(stack: &Stack, scope: &str, revision: &str) -> Session {
    let mut browser = Browser::of("carol").unwrap().asking_for(scope);
    let tokens = browser.log_in(&stack.url("/mcp")).await.unwrap();
    assert_eq!(tokens.response["scope"], scope, "the token is for something else");
    Session::begin(&stack.edge_url(0, ""), Some(&tokens.access_token), revision).await
}

fn assert_insufficient(answer: &Answer, id: &str, scope: &str) {
    assert_eq!(answer.status, 403, "{answer:?}");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
    assert!(challenge.contains(&format!(r#"scope="{scope}""#)), "{challenge}");
    assert!(challenge.contains("resource_metadata="), "{challenge}");
    let message = answer.message();
    assert_eq!(
        (&message["id"], &message["error"]["code"]),
        (&json!(id), &json!(-32600)),
        "{message}"
    );
    assert!(
        message["error"]["message"].as_str().unwrap().contains("scope"),
        "{message}"
    );
}

fn requests() -> [(&'static str, Value, &'static str); 11] {
    let prompt = json!({ "ref": { "type": "ref/prompt", "name": "complex_prompt" }, "argument": { "name": "style", "value": "" } });
    let resource = json!({ "ref": { "type": "ref/resource", "uri": "test://static/resource/{id}" },
        "argument": { "name": "id", "value": "1" } });
    let uri = json!({ "uri": "test://static/resource/1" });
    [
        ("tools/list", json!({}), "mcp:tools"),
        (
            "tools/call",
            json!({ "name": "echo", "arguments": { "message": "x" } }),
            "mcp:tools",
        ),
        ("resources/list", json!({}), "mcp:resources"),
        ("resources/templates/list", json!({}), "mcp:resources"),
        ("resources/read", uri.clone(), "mcp:resources"),
        ("resources/subscribe", uri.clone(), "mcp:resources"),
        ("resources/unsubscribe", uri, "mcp:resources"),
        ("prompts/list", json!({}), "mcp:prompts"),
        ("prompts/get", json!({ "name": "simple_prompt" }), "mcp:prompts"),
        ("completion/complete", prompt, "mcp:prompts"),
        ("completion/complete", resource, "mcp:resources"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_good_for_its_scopes_and_told_what_it_lacks() {
    let stack = Stack::builder().in_process().start().await.unwrap();
    for granted in ["mcp:tools", "mcp:resources mcp:prompts", "mcp:prompts"] {
        let session = with_scope(&stack, granted, NEWEST).await;
        for (method, params, needed) in requests() {
            let answer = session.send(session.call("me", method, params)).await;
            if granted.split(' ').any(|scope| scope == needed) {
                assert_eq!(answer.status, 200, "{method} with {granted}: {answer:?}");
            } else {
                assert_insufficient(&answer, "me", needed);
            }
            session.is_well().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_does_not_get_around_scopes() {
    let stack = Stack::builder().in_process().start().await.unwrap();
    let session = with_scope(&stack, "mcp:prompts", "2025-03-26").await;
    let batch = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "prompts/list" },
        { "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "echo", "arguments": { "message": "secret" } } },
    ]);
    let answer = session.send(session.post(batch.to_string())).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(
        answer
            .header("www-authenticate")
            .unwrap()
            .contains(r#"scope="mcp:tools""#)
    );
    assert!(!answer.text().contains("secret"), "{answer:?}");
    session.is_well().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_legacy_transport_does_not_get_around_scopes() {
    let stack = Stack::builder().in_process().start().await.unwrap();
    let session = with_scope(&stack, "mcp:prompts", NEWEST).await;
    let legacy = session.named("");
    let mut stream = legacy.open(legacy.request(http::Method::GET, "/sse")).await;
    let endpoint = stream.next().await.unwrap().data;
    let mut begin = session.clone();
    begin.revision = "2024-11-05".to_owned();
    assert_eq!(session.send(begin.initialize().path(&endpoint)).await.status, 202);
    assert!(stream.message().await.unwrap()["result"].is_object());
    let call = legacy
        .tool("me", "echo", json!({ "message": "secret" }))
        .path(&endpoint);
    let answer = session.send(call).await;
    assert_insufficient(&answer, "me", "mcp:tools");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.contains("oauth-protected-resource/sse"), "{challenge}");
    // Nothing of it comes over the stream.
    assert_eq!(
        session
            .send(legacy.call("ping", "ping", json!({})).path(&endpoint))
            .await
            .status,
        202
    );
    assert_eq!(stream.message().await.unwrap()["id"], "ping");
}
