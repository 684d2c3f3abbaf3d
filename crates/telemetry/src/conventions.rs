//! Names of attributes, and of what they may say, as the OpenTelemetry semantic conventions have them. One place, so that
//! spans, metrics and logs cannot drift apart.
//!
//! Source: repositories `open-telemetry/semantic-conventions` and, for MCP, `open-telemetry/semantic-conventions-genai`
//! (docs/gen-ai/mcp.md).

pub mod db;
pub mod general;
pub mod http;
pub mod mcp;
pub mod messaging;
pub mod rpc;

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Bytes of a hash that stand for an id: enough to tell ids apart, too few to find one.
const HASHED_BYTES: usize = 8;

/// How ids of sessions and users appear in spans and logs: always the same for the same id, and of no use to whoever
/// reads it. Where login is off, a session id is all it takes to act for its client.
pub fn hashed(id: &str) -> String {
    let hash = Sha256::digest(id.as_bytes());
    hash.iter()
        .take(HASHED_BYTES)
        .fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hashed_id_is_short_and_always_the_same() {
        assert_eq!(hashed("abc"), "ba7816bf8f01cfea");
        assert_ne!(hashed("abc"), hashed("abd"));
    }
}
