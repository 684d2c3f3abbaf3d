//! What features tell everybody: one log and its wake-up, and one key per periodic change.

/// Stream: the latest changes, in order.
pub const LOG: &str = "mcp:changes";

/// Channel: each change as it is logged.
pub const CHANNEL: &str = "mcp:changes";

/// String: there while a periodic change is not due again. Shares the slot of [`LOG`].
pub fn tick(name: &str) -> String {
    format!("{{mcp:changes}}:tick:{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_documented() {
        assert_eq!(LOG, "mcp:changes");
        assert_eq!(CHANNEL, "mcp:changes");
        assert_eq!(tick("stderr"), "{mcp:changes}:tick:stderr");
    }
}
