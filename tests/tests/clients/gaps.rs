//! What a client cannot do. A client that learns it fails the test, as does one that skips anything else.

use super::tours::Client;

/// Steps that `client` cannot do in `mode`.
pub fn of(client: Client, mode: &str) -> &'static [&'static str] {
    match (client, mode) {
        (Client::TypeScript | Client::Python | Client::Rmcp, _) => &[],
    }
}
