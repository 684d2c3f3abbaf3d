//! Where the authorization server keeps what must outlive a request: one trait, two stores, one contract suite.
//!
//! A store sees keys that are hashes and values that are sealed (see [`crate::vault`]); it understands neither.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::memory::MemoryStore;
pub use self::redis::RedisStore;

#[cfg(test)]
mod contract;
mod memory;
mod redis;

/// What a key holds. Each space has its own bound in the memory store, so that what strangers may create
/// (registrations, pending logins) never pushes out what users hold (tokens, grants).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    Client,
    /// An authorization request whose consent is pending.
    Transaction,
    /// What was decided about a transaction.
    Decision,
    /// A login that is under way at the upstream provider.
    Login,
    /// A pushed authorization request (RFC 9126).
    Pushed,
    Code,
    /// A code or refresh token that has been used.
    Spent,
    Access,
    Refresh,
    /// Exists exactly as long as the tokens of a grant may be used.
    Grant,
    /// What a user allowed a client before.
    Consent,
    /// Who logged in with a browser before.
    Browser,
    /// Code of the fake upstream provider.
    FakeCode,
    /// Access token of the fake upstream provider.
    FakeToken,
    /// Identifiers of proofs and assertions that were seen (`jti`).
    Replay,
    /// Counters of rate limits.
    Limit,
    /// A fetched client metadata document.
    Document,
}

/// The address of a value. `id` is a hash or an identifier that grants nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub space: Space,
    pub id: String,
}

/// The answer to [`Store::claim`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The key was free and now holds the value.
    Won,
    /// Somebody was first; this is what they put.
    Lost(Bytes),
}

/// Tokens that died before their time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// All tokens of this grant.
    Grant(String),
    /// One access token, by the lower-case hexadecimal SHA-256 of it.
    Token(String),
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It may work again later; whether a write took place is unknown.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A bound of the store would be exceeded; nothing was written.
    #[error("full")]
    Full,
}

/// Revocations as they are announced.
#[async_trait]
pub trait Revocations: Send {
    /// The next one. `None`: announcements may have been missed (or never come again): watch anew, and trust
    /// nothing that was learnt before. Cancel-safe.
    async fn next(&mut self) -> Option<Revocation>;
}

/// Single-key operations, each atomic over all replicas that share the store. A value is gone once its time is
/// over, and a time of zero is never asked for. Replies come within a deadline, or as [`StoreError::Unavailable`].
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Writes, whatever was there.
    async fn put(&self, key: &Key, value: Bytes, ttl: Duration) -> Result<(), StoreError>;

    /// Writes where nothing is. Of any number of simultaneous callers exactly one wins.
    async fn claim(&self, key: &Key, value: Bytes, ttl: Duration) -> Result<Claim, StoreError>;

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError>;

    /// Reads and removes. Of any number of simultaneous callers exactly one gets the value.
    async fn take(&self, key: &Key) -> Result<Option<Bytes>, StoreError>;

    /// Removes; says whether there was something.
    async fn delete(&self, key: &Key) -> Result<bool, StoreError>;

    /// Makes what is there live for `ttl` from now, if that is longer than it would; says whether there is something.
    async fn extend(&self, key: &Key, ttl: Duration) -> Result<bool, StoreError>;

    /// Adds one to a counter whose window begins with its first count; answers the count and what is left of the window.
    async fn count(&self, key: &Key, window: Duration) -> Result<(u64, Duration), StoreError>;

    /// Tells every watcher on every replica.
    async fn announce(&self, revocation: Revocation) -> Result<(), StoreError>;

    /// Watches from now on: what is announced after this returned is delivered.
    async fn revocations(&self) -> Result<Box<dyn Revocations>, StoreError>;
}

impl Key {
    pub fn new(space: Space, id: impl Into<String>) -> Self {
        Self { space, id: id.into() }
    }
}

impl Revocation {
    /// The form that travels over pub/sub.
    pub(crate) fn encode(&self) -> String {
        match self {
            Self::Grant(id) => format!("grant:{id}"),
            Self::Token(sha256) => format!("token:{sha256}"),
        }
    }

    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(payload).ok()?;
        match text.split_once(':')? {
            ("grant", id) => Some(Self::Grant(id.to_owned())),
            ("token", sha256) => Some(Self::Token(sha256.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
