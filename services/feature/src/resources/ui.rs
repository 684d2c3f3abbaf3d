//! User interfaces of tools (MCP Apps, extension `io.modelcontextprotocol/ui`, 2026-01-26).

use serde_json::{Value, json};

use super::Listed;
use crate::content::{Body, ResourceContents};

pub const HELLO_WORLD_URI: &str = "ui://everything/hello-world";
pub const MIME_TYPE: &str = "text/html;profile=mcp-app";

/// Complete in itself: hosts forbid it to load anything.
static HELLO_WORLD: &str = include_str!("../../assets/hello_world.html");

pub(super) fn listed() -> Listed {
    Listed {
        uri: HELLO_WORLD_URI.to_owned(),
        name: "hello-world".to_owned(),
        title: "Hello World".to_owned(),
        description: "The user interface of the tool mcpAppsHelloWorld.".to_owned(),
        mime_type: MIME_TYPE.to_owned(),
        size: HELLO_WORLD.len() as u64,
        meta: Some(meta()),
    }
}

pub(super) fn contents() -> ResourceContents {
    ResourceContents {
        uri: HELLO_WORLD_URI.to_owned(),
        mime_type: MIME_TYPE.to_owned(),
        body: Body::Text(HELLO_WORLD.to_owned()),
        meta: Some(meta()),
    }
}

fn meta() -> Value {
    json!({ "ui": { "prefersBorder": true } })
}
