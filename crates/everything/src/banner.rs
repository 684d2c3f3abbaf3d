use std::fmt::Write;

use everything_edge::{AuthMode, Settings};
use redis_store::RedisAddress;

use crate::Replacements;

/// What is shown in the terminal at the start: where to go, and what is embedded and what is real.
pub fn banner(settings: &Settings, replacements: &Replacements, redis: Option<&RedisAddress>) -> String {
    let base = settings.base.as_str();
    let place = |replacement: &Option<serving::Replicas>| match replacement {
        Some(replicas) => format!("at {replicas}"),
        None => "in this process".to_owned(),
    };
    let store = match redis {
        Some(address) => format!("Redis at {address}"),
        None => "in memory; everything is forgotten at exit (set REDIS_URL to keep and share it)".to_owned(),
    };
    let login = match settings.auth {
        AuthMode::Internal => "OAuth 2.1; the identity provider is a fake one where anybody may be anybody",
        AuthMode::External => "tokens of an external authorization server",
        AuthMode::Disabled => "none (AUTH_MODE=disabled); loopback only",
    };
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        // Writing to a String cannot fail.
        _ = writeln!(text, "  {label:<16}{value}");
    };
    line("MCP", &format!("{base}/mcp"));
    line("HTTP+SSE", &format!("{base}/sse   (2024-11-05 clients)"));
    line("Splash page", &format!("{base}/"));
    line("", "");
    line("Login", login);
    line("State", &store);
    if settings.auth != AuthMode::Disabled {
        line("Auth service", &place(&replacements.auth_url));
    }
    line("Session service", &place(&replacements.session_url));
    line("Feature service", &place(&replacements.feature_url));
    line("", "");
    line(
        "Claude Code",
        &format!("claude mcp add --transport http everything {base}/mcp"),
    );
    line("MCP Inspector", "npx @modelcontextprotocol/inspector");
    format!("\nEverything Server\n\n{text}")
}
