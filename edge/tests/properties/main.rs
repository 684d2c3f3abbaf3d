//! What must hold for everything that can arrive or be sent, tried on random cases.
//!
//! A run tries 256 cases of each; `scripts/fuzz` tries as many as it is told. A case that failed is kept in
//! `proptest-regressions` and tried first from then on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod headers;
mod json;
mod jsonrpc;
mod reader;
mod sse;
