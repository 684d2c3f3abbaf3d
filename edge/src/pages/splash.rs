//! `/`: what this is, and how to connect to it.

use askama::Template;
use axum::{extract, response::Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{FormAction, render};
use crate::{AuthMode, State};

#[derive(Template)]
#[template(path = "splash.html")]
struct Splash<'a> {
    base: &'a str,
    mcp: &'a str,
    sse: &'a str,
    login: bool,
    version: &'static str,
    claude: String,
    vscode: String,
    cursor: String,
    inspector: String,
    curl: String,
}

pub async fn get(extract::State(state): extract::State<State>) -> Response {
    let base = &state.config.base;
    let (mcp, sse) = (&base.join("/mcp"), &base.join("/sse"));
    let splash = Splash {
        base: base.as_str(),
        mcp,
        sse,
        login: state.config.auth != AuthMode::Disabled,
        version: env!("CARGO_PKG_VERSION"),
        claude: format!("claude mcp add --transport http everything {mcp}"),
        vscode: pretty(&json!({ "servers": { "everything": { "type": "http", "url": mcp } } })),
        cursor: pretty(&json!({ "mcpServers": { "everything": { "url": mcp } } })),
        inspector: format!("npx @modelcontextprotocol/inspector --transport http --server-url {mcp}"),
        curl: curl(mcp),
    };
    render(StatusCode::OK, &splash, FormAction::None)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

fn curl(mcp: &str) -> String {
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}"#;
    [
        &format!("curl -i {mcp}"),
        "  -H 'Content-Type: application/json'",
        "  -H 'Accept: application/json, text/event-stream'",
        &format!("  -d '{initialize}'"),
    ]
    .join(" \\\n")
}
