//! Keys of the feature service. An owner is a session key, or stands for a user where there is no session.

/// Sorted set: the session-scoped resources of an owner, by expiry; each member is `<bytes>:<id>`.
pub fn resources(owner: &str) -> String {
    format!("feature:{{{owner}}}:resources")
}

/// Hash: one session-scoped resource.
pub fn resource(owner: &str, id: &str) -> String {
    format!("feature:{{{owner}}}:resource:{id}")
}

/// Set: what an owner has switched on.
pub fn extras(owner: &str) -> String {
    format!("feature:{{{owner}}}:extras")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_documented() {
        assert_eq!(resources("abc"), "feature:{abc}:resources");
        assert_eq!(resource("abc", "1"), "feature:{abc}:resource:1");
        assert_eq!(extras("abc"), "feature:{abc}:extras");
    }
}
