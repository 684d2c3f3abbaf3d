//! The same promises on one server, behind sentinels, and on a cluster, through failovers and moving slots.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod topologies {
    mod cluster;
    mod sentinel;
    mod single;

    mod promises;
}
