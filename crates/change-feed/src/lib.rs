//! The change feed: what features tell everybody it concerns (`mcp:changes`).
//!
//! Features publish; session services read. A [`Change`] is logged first and announced second, so a reader that lost
//! its connection reads the log again and misses nothing that the bounded log still holds.

mod feed;
mod id;
mod memory;
mod publishing;
mod redis;

pub use everything_proto::events::v1::Change;
pub use feed::{ChangeFeed, ChangeStream, Error, Missed, Tick};
pub use id::ChangeId;
pub use memory::MemoryFeed;
pub use redis::RedisFeed;
