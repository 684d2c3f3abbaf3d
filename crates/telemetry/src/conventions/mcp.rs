//! MCP operations (docs/gen-ai/mcp.md).

pub const MCP_METHOD_NAME: &str = "mcp.method.name";
pub const MCP_PROTOCOL_VERSION: &str = "mcp.protocol.version";
pub const MCP_RESOURCE_URI: &str = "mcp.resource.uri";
/// Recorded [hashed](super::hashed).
pub const MCP_SESSION_ID: &str = "mcp.session.id";

pub const GEN_AI_OPERATION_NAME: &str = "gen_ai.operation.name";
pub const GEN_AI_PROMPT_NAME: &str = "gen_ai.prompt.name";
pub const GEN_AI_TOOL_NAME: &str = "gen_ai.tool.name";

pub const JSONRPC_REQUEST_ID: &str = "jsonrpc.request.id";

/// For [`GEN_AI_OPERATION_NAME`], on `tools/call` only.
pub const EXECUTE_TOOL: &str = "execute_tool";
/// For `error.type`: the tool ran, and its result says `isError`.
pub const TOOL_ERROR: &str = "tool_error";
