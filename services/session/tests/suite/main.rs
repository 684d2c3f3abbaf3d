//! The session service as edges see it, and its stores as it sees them; each on memory and on Redis.

mod calls;
mod changes;
mod contract;
mod harness;
mod ownership;
mod redis;
mod standalone;
