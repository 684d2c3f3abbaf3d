//! Keys and channels of the session service.

/// String: the id of the user who owns the session.
pub fn owner(session_id: &str) -> String {
    format!("session:{{{session_id}}}:owner")
}

/// Hash: what the session is, and what is under way in it.
pub fn state(session_id: &str) -> String {
    format!("session:{{{session_id}}}:state")
}

/// Stream: what the session's client must not miss, in order.
pub fn events(session_id: &str) -> String {
    format!("session:{{{session_id}}}:events")
}

/// Channel, client to server: an answer waits. Its subscribers mean that the session is live.
pub fn to_server(session_id: &str) -> String {
    format!("mcp:shttp:toserver:{{{session_id}}}")
}

/// Channel, server to client: the log of `stream` has grown.
pub fn to_client(session_id: &str, stream: &str) -> String {
    format!("mcp:shttp:toclient:{{{session_id}}}:{stream}")
}

/// Channel: shutdown, cancellation and staleness of the session.
pub fn control(session_id: &str) -> String {
    format!("mcp:control:{{{session_id}}}")
}

/// Sorted set: the live sessions of one user, named by the SHA-256 of the user id.
pub fn of_user(user_digest: &str) -> String {
    format!("session:users:{{{user_digest}}}")
}

/// Sorted set: edges by the end of their leases. Shares a slot with [`edge_calls`].
pub const EDGE_LEASES: &str = "session:edges:{edges}:leases";

/// Sorted set: the open calls of one edge.
pub fn edge_calls(edge_id: &str) -> String {
    format!("session:edges:{{edges}}:calls:{edge_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_documented() {
        assert_eq!(owner("abc"), "session:{abc}:owner");
        assert_eq!(state("abc"), "session:{abc}:state");
        assert_eq!(events("abc"), "session:{abc}:events");
        assert_eq!(to_server("abc"), "mcp:shttp:toserver:{abc}");
        assert_eq!(to_client("abc", "g"), "mcp:shttp:toclient:{abc}:g");
        assert_eq!(control("abc"), "mcp:control:{abc}");
        assert_eq!(of_user("d1"), "session:users:{d1}");
        assert_eq!(EDGE_LEASES, "session:edges:{edges}:leases");
        assert_eq!(edge_calls("e1"), "session:edges:{edges}:calls:e1");
    }
}
