//! What a client cannot do. A client that learns it fails the test, as does one that skips anything else.

use super::tours::Client;

/// Steps that `client` cannot do in `mode`.
pub fn of(client: Client, mode: &str) -> &'static [&'static str] {
    match (client, mode) {
        // Takes no result of the type `task`, in which the extension begins.
        (Client::TypeScript, "modern" | "auto") => &["task"],
        // Have the extension only, not the experimental tasks of 2025-11-25.
        (Client::Rmcp | Client::Python, "legacy") => &["task"],
        (Client::TypeScript | Client::Python | Client::Rmcp, _) => &[],
    }
}
