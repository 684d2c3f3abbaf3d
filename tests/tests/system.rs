//! The MCP transports, from outside: an edge is asked, and everything behind it is real.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod system {
    mod world;

    mod batches;
    mod cancelling;
    mod expiring;
    mod failing_over;
    mod framing;
    mod handshake;
    mod isolation;
    mod keys;
    mod legacy;
    mod notifying;
    mod questions;
    mod resuming;
    mod sessions;
    mod streams;
}
