//! The authorization server through its gRPC contract, on both stores, with two replicas.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;
mod login;
mod races;
mod refusals;
mod registration;
mod revocation;
mod tokens;
