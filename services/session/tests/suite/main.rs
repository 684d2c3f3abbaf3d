//! The session service as edges see it, and its stores as it sees them; each on memory and on Redis.

#![allow(clippy::unwrap_used, reason = "a scenario that fails here fails")]

mod calls;
mod changes;
mod contract;
mod harness;
mod ownership;
mod redis;
mod standalone;
mod tasks;
