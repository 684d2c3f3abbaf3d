//! Every key and channel in Redis, by service. Services never read each other's.
//!
//! Braces are part of a name: Redis Cluster hashes only what they enclose, so everything of one session shares a slot.

pub mod auth;
pub mod changes;
pub mod feature;
pub mod session;
pub mod task;
