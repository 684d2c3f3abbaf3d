//! The MCP transports.
