//! Keys and the channel of tasks, which the session service keeps.

/// Hash: a task and the call that it makes.
pub fn state(task_id: &str) -> String {
    format!("task:{{{task_id}}}:state")
}

/// Sorted set: the tasks of one user by expiry, named by the SHA-256 of the user id.
pub fn of_user(user_digest: &str) -> String {
    format!("task:users:{{{user_digest}}}")
}

/// Sorted set: tasks that want a runner, by when they do.
pub const DUE: &str = "task:due";

/// Sorted set: the tasks that one edge runs, by expiry.
pub fn run_by(edge_id: &str) -> String {
    format!("task:run_by:{{{edge_id}}}")
}

/// Channel: which task changed.
pub const CHANGES: &str = "mcp:tasks";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_documented() {
        assert_eq!(state("abc"), "task:{abc}:state");
        assert_eq!(of_user("d1"), "task:users:{d1}");
        assert_eq!(run_by("e1"), "task:run_by:{e1}");
        assert_eq!(DUE, "task:due");
        assert_eq!(CHANGES, "mcp:tasks");
    }
}
