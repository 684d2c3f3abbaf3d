//! Calls that outlive the request that made them, over whole stacks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tasks {
    mod core;
    mod core_in_sessions;
    mod extension;
    mod kills;
    mod sessions;
}
