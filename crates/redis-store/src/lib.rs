//! Everything that is the same for each service that uses Redis.
//!
//! - [`RedisArgs`], [`RedisAddress`]: where Redis is.
//! - [`Redis`]: one server, the master that sentinels name, or a cluster, over a constant number of connections that come
//!   back by themselves.
//! - [`Commands`], [`Script`]: what is asked of it.
//! - [`Redis::health`]: whether Redis can do its work, and why not.
//! - [`Subscriber`], [`Subscription`]: pub/sub with confirmed subscriptions, and word of every gap.
//! - [`keys`]: every key and channel, typed.

mod address;
mod client;
mod cluster;
mod commands;
mod error;
mod group;
mod health;
pub mod keys;
mod link;
mod observe;
mod pubsub;
mod script;
mod sentinel;
mod slot;
#[cfg(feature = "testing")]
pub mod testing;

pub use address::{RedisAddress, RedisArgs};
pub use client::Redis;
pub use commands::Commands;
pub use error::Error;
pub use observe::Usage;
pub use pubsub::{Delivery, Subscriber, Subscription};
pub use script::{Script, ScriptInvocation};
