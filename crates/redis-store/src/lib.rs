//! Everything that is the same for each service that uses Redis.
//!
//! - [`RedisArgs`], [`RedisAddress`]: where Redis is.
//! - [`Redis`]: a constant number of connections (one for commands, one for pub/sub) that come back by themselves.
//! - [`Redis::health`]: whether Redis can do its work, and why not.
//! - [`Subscriber`], [`Subscription`]: pub/sub with confirmed subscriptions, and word of every gap.
//! - [`keys`]: every key and channel, typed.

mod address;
mod client;
mod error;
mod health;
pub mod keys;
mod pubsub;
#[cfg(feature = "testing")]
pub mod testing;

pub use address::{RedisAddress, RedisArgs};
pub use client::{Commands, Redis};
pub use error::Error;
pub use pubsub::{Delivery, Subscriber, Subscription};
