//! Everything that is the same for each service that uses Redis.
//!
//! - [`RedisArgs`], [`RedisAddress`]: where Redis is.
//! - [`Redis`]: a constant number of connections (one for commands, one for pub/sub) that come back by themselves.
//! - [`Subscriber`], [`Subscription`]: pub/sub with confirmed subscriptions, and word of every gap.
//! - [`keys`]: every key and channel, typed.

mod address;
mod client;
pub mod keys;
mod pubsub;
#[cfg(feature = "testing")]
pub mod testing;

pub use address::{RedisAddress, RedisArgs};
pub use client::{Commands, Redis};
pub use pubsub::{Delivery, Subscriber, Subscription};

/// Why Redis could not do what was asked. Says nothing that is secret.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("REDIS_URL is not a Redis address: {0}")]
    Address(String),
    #[error("redis cannot be reached")]
    Unreachable,
    #[error("redis did not answer in time")]
    Timeout,
    #[error("redis refuses the credentials")]
    Authentication,
    #[error("redis is loading its data")]
    Loading,
    #[error("redis is read-only here (a replica, or a failover is under way)")]
    ReadOnly,
    #[error("redis is out of memory")]
    OutOfMemory,
    #[error("redis refused a command: {0}")]
    Refused(String),
    #[error("redis answered something unexpected: {0}")]
    Unexpected(String),
}

impl From<redis::RedisError> for Error {
    fn from(error: redis::RedisError) -> Self {
        use redis::{ErrorKind, ServerErrorKind};
        if error.is_timeout() {
            return Self::Timeout;
        }
        if error.is_io_error() || error.is_connection_dropped() || error.is_connection_refusal() {
            return Self::Unreachable;
        }
        match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS" | "NOPERM")) => {
                Self::Authentication
            }
            (_, Some("OOM")) => Self::OutOfMemory,
            (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => Self::Loading,
            (ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown), _) => Self::ReadOnly,
            (ErrorKind::UnexpectedReturnType | ErrorKind::Parse, _) => {
                Self::Unexpected(error.detail().unwrap_or_default().to_owned())
            }
            // Only the code: a detail can quote the command, and with it a value.
            (_, code) => Self::Refused(code.unwrap_or("unknown error").to_owned()),
        }
    }
}
