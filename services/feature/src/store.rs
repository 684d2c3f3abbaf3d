//! Where session-scoped resources and extras are kept.

mod memory;
mod redis;

#[cfg(test)]
mod contract;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{call::OwnerKey, extras::Extra};

pub use memory::MemoryStore;
pub use redis::RedisStore;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("a stored resource cannot be read: {0}")]
    Corrupt(#[from] serde_json::Error),
}

/// A resource would exceed what its owner may keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    TooMany { limit: usize },
    TooLarge { limit_bytes: usize },
}

/// Bounds on what is kept.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a resource is kept.
    pub ttl: Duration,
    /// Resources of one owner.
    pub count: usize,
    /// Bytes of one owner's resources.
    pub bytes: usize,
    /// Bytes of all resources, where they are kept in this process. The oldest make room.
    pub total_bytes: usize,
}

/// What is known of a resource without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    pub name: String,
    pub description: String,
    pub mime_type: String,
    /// Bytes.
    pub size: u64,
}

/// A kept resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub id: String,
    pub meta: Meta,
}

/// Keeps resources per owner, within [`Limits`]. One owner never sees another's.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    fn limits(&self) -> &Limits;

    /// Keeps a resource under a new id. Refused, and nothing changed, where the owner's limits are reached.
    async fn put(
        &self,
        owner: &OwnerKey,
        stored: &Stored,
        bytes: Bytes,
    ) -> Result<Result<(), Refusal>, Error>;

    /// All of an owner's resources, oldest first.
    async fn list(&self, owner: &OwnerKey) -> Result<Vec<Stored>, Error>;

    /// A resource; `None` where the owner has none with that id (any more).
    async fn get(&self, owner: &OwnerKey, id: &str) -> Result<Option<(Stored, Bytes)>, Error>;

    /// What the owner has switched on.
    async fn extras(&self, owner: &OwnerKey) -> Result<Vec<Extra>, Error>;

    /// Switches an extra on or off, for as long as a resource is kept. Answers whether it was otherwise before.
    async fn switch_extra(&self, owner: &OwnerKey, extra: Extra, on: bool) -> Result<bool, Error>;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(30 * 60),
            count: 20,
            bytes: 4 * 1024 * 1024,
            total_bytes: 256 * 1024 * 1024,
        }
    }
}
