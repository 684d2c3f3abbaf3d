//! User interfaces of tools (`io.modelcontextprotocol/ui`, MCP Apps 2026-01-26).

use serde_json::{Value, json};
use system_tests::{Stack, client::McpClient};

use super::client::Modern;

const EXTENSION: &str = "io.modelcontextprotocol/ui";
const MIME_TYPE: &str = "text/html;profile=mcp-app";

/// The tool with an interface, as it is listed.
fn app(tools: &Value) -> &Value {
    let tools = tools["tools"].as_array().unwrap();
    let mut apps = tools.iter().filter(|tool| tool["_meta"].get("ui").is_some());
    let app = apps.next().unwrap();
    assert_eq!(apps.next(), None);
    app
}

/// "Content Requirements"
fn assert_is_app(read: &Value, uri: &str) {
    let contents = &read["contents"][0];
    assert_eq!(
        (&contents["uri"], &contents["mimeType"]),
        (&json!(uri), &json!(MIME_TYPE))
    );
    assert!(contents["text"].as_str().unwrap().starts_with("<!DOCTYPE html>"));
    assert_eq!(contents["_meta"]["ui"]["prefersBorder"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_names_its_interface_which_is_a_resource_and_works_without_it() {
    let stack = Stack::builder()
        .in_process()
        .auth_disabled()
        .start()
        .await
        .unwrap();
    let url = stack.url("/mcp");
    let modern = Modern::new(&url, None);
    let discovered = modern.ask("server/discover", json!({})).await.result().unwrap();
    assert_eq!(
        discovered["capabilities"]["extensions"][EXTENSION],
        json!({ "mimeTypes": [MIME_TYPE] })
    );
    let tools = modern.ask("tools/list", json!({})).await.result().unwrap();
    let tool = app(&tools);
    let ui = tool["_meta"]["ui"].clone();
    let uri = ui["resourceUri"].as_str().unwrap().to_owned();
    assert!(uri.starts_with("ui://"));
    assert_eq!(ui["visibility"], json!(["model", "app"]));
    let read = modern
        .ask("resources/read", json!({ "uri": uri }))
        .await
        .result()
        .unwrap();
    assert_is_app(&read, &uri);
    // A host without the extension has the text.
    let name = tool["name"].as_str().unwrap();
    let result = modern
        .tool(name, json!({ "name": "Ada" }))
        .await
        .result()
        .unwrap();
    assert_eq!(result["content"][0]["text"], "Hello, Ada!");

    // Hosts of the revision that the extension was made for find the same.
    for revision in ["2025-06-18", "2025-11-25"] {
        let session = McpClient::connect(&url, revision, json!({}), None).await.unwrap();
        let tools = session.call("tools/list", json!({})).await.unwrap();
        assert_eq!(app(&tools)["_meta"]["ui"], ui, "{revision}");
        let read = session
            .call("resources/read", json!({ "uri": uri }))
            .await
            .unwrap();
        assert_is_app(&read, &uri);
    }
}

/// docs/extensions.md says why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skills_are_neither_declared_nor_served() {
    let stack = Stack::builder().in_process().auth_disabled();
    let stack = stack.start().await.unwrap();
    let modern = Modern::new(&stack.url("/mcp"), None);
    let discovered = modern.ask("server/discover", json!({})).await.result().unwrap();
    let extensions = discovered["capabilities"]["extensions"].as_object().unwrap();
    let names: Vec<&str> = extensions.keys().map(String::as_str).collect();
    assert_eq!(names, ["io.modelcontextprotocol/tasks", EXTENSION]);
    for method in ["skills/list", "skills/get", "resources/directory/read"] {
        let answer = modern.ask(method, json!({ "uri": "skill://a/SKILL.md" })).await;
        assert_eq!((answer.status, answer.error_code()), (404, -32601), "{method}");
    }
}
