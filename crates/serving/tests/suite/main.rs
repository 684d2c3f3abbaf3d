//! gRPC servers and the channel over their replicas, on real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod harness;
mod load;
mod names;
mod readiness;
mod replicas;
mod shutdown;
mod tls;
