//! What a call brings along: on whose behalf it is made, what its client can do, and where events go.

mod events;

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use events::{Event, EventSink, LogLevel};

/// On whose behalf a call is made.
#[derive(Clone, Debug, Default)]
pub struct Principal {
    pub user_id: String,
    pub client_id: String,
    pub scopes: Vec<String>,
}

/// What the client declared it can do. Nothing else is asked of it.
#[derive(Clone, Debug, Default)]
pub struct ClientCapabilities {
    pub sampling: bool,
    pub sampling_tools: bool,
    pub sampling_context: bool,
    pub elicitation_form: bool,
    pub elicitation_url: bool,
    pub roots: bool,
    pub extensions: HashMap<String, Bytes>,
}

/// Who calls, with what client.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    pub principal: Principal,
    /// Opaque; empty where there is no session.
    pub session_key: String,
    pub capabilities: ClientCapabilities,
}

/// Owner of what outlives a call: the session, or the user where there is none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnerKey(String);

/// One round of a call. Dropping the future that works on it cancels it.
pub struct Call {
    pub caller: Caller,
    /// The client's answers to what the round before asked, by key.
    pub inputs: HashMap<String, Value>,
    /// What the round before left for this one. Empty in the first.
    pub state: Bytes,
    pub events: EventSink,
}

impl Caller {
    pub fn owner(&self) -> OwnerKey {
        if !self.session_key.is_empty() {
            return OwnerKey(self.session_key.clone());
        }
        // Hashed: user ids come from outside, and the key becomes part of a Redis key.
        let digest = Sha256::digest(self.principal.user_id.as_bytes());
        let mut key = String::from("user-");
        for byte in digest.iter().take(16) {
            key.push_str(&format!("{byte:02x}"));
        }
        OwnerKey(key)
    }
}

impl OwnerKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_the_session_or_else_the_user() {
        let mut caller = Caller {
            principal: Principal {
                user_id: "alice".to_owned(),
                ..Principal::default()
            },
            session_key: "s1".to_owned(),
            ..Caller::default()
        };
        assert_eq!(caller.owner().as_str(), "s1");
        caller.session_key.clear();
        assert_eq!(caller.owner().as_str(), "user-2bd806c97f0e00af1a1fc3328fa763a9");
    }
}
