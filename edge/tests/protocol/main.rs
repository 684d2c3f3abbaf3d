//! The wire as bytes: JSON-RPC, SSE, and every revision held against its schema.

#![allow(clippy::unwrap_used, reason = "tests")]

mod answers;
mod core_tasks;
mod emitted;
mod generate;
mod jsonrpc;
mod messages;
mod questions;
mod refused;
mod requests;
mod schema;
mod sse;
mod stateless;
mod worked;
mod written;
