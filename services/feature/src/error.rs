use serde_json::{Value, json};

/// JSON-RPC 2.0: the parameters of a method are wrong.
pub const INVALID_PARAMS: i32 = -32602;
/// MCP before 2026-07-28: no such resource. The edge converts it to the code of the client's revision.
pub const RESOURCE_NOT_FOUND: i32 = -32002;
/// MCP 2026-07-28: the client did not declare a capability that the request needs.
pub const MISSING_CLIENT_CAPABILITY: i32 = -32021;

/// What an MCP client is told it did wrong, as a JSON-RPC error. Travels in band.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct McpError {
    pub code: i32,
    pub message: String,
    pub data: Option<Value>,
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's doing; told to the client as it is.
    #[error(transparent)]
    Mcp(#[from] McpError),
    /// Our doing; logged here, and a constant sentence for callers.
    #[error("the store of session resources failed: {0}")]
    Store(#[from] crate::store::Error),
    /// A bug: a result that cannot be written as JSON.
    #[error("a result cannot be encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

/// A name that came in, for a message.
pub fn shortened(name: &str) -> String {
    const MAX_CHARS: usize = 64;
    let mut short: String = name.chars().take(MAX_CHARS).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}

impl McpError {
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self {
            code: INVALID_PARAMS,
            message: message.into(),
            data: None,
        }
    }

    pub fn resource_not_found(uri: &str) -> Self {
        Self {
            code: RESOURCE_NOT_FOUND,
            message: "resource not found".to_owned(),
            data: Some(json!({ "uri": uri })),
        }
    }

    /// `required` is in the form of the client capabilities, e.g. `{"elicitation": {"url": {}}}`.
    pub fn missing_client_capability(capability: &str, required: Value) -> Self {
        Self {
            code: MISSING_CLIENT_CAPABILITY,
            message: format!("the client does not declare the capability {capability:?}, which this needs"),
            data: Some(json!({ "requiredCapabilities": required })),
        }
    }
}
