//! What traces show: split stacks with two edges export to a receiver, and the trees that arrive are compared with what
//! docs/tracing.md promises, span by span. Redis commands are checked on their own and left out of the pictures.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "tracing/asking.rs"]
mod asking;
#[path = "tracing/changes.rs"]
mod changes;
#[path = "tracing/contexts.rs"]
mod contexts;
#[path = "tracing/ends.rs"]
mod ends;
#[path = "tracing/failures.rs"]
mod failures;
#[path = "tracing/rounds.rs"]
mod rounds;
#[path = "tracing/world.rs"]
mod world;
