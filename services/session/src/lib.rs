//! The session service: who owns a session, what its client must not miss, and who is listening.
//!
//! - [`Service`]: `build_memory` or `build_redis` (or `build` with [`Dependencies`] of your own), then `serve`.
//! - [`store`]: where sessions live; [`bus`]: how replicas wake each other. One contract each, in memory and on Redis.
//! - Sessions: ids and owners, the event log, operations.
//! - [`tasks`]: calls that outlive their request, and who runs them.
//! - Links: one stream per edge, routing between links and sessions, changes, expiry, dead edges.

pub mod bus;
mod changes;
pub mod config;
mod connect;
mod edges;
mod error;
mod event_log;
mod expiry;
mod grpc;
mod lifetimes;
mod link;
mod operations;
mod ownership;
mod routing;
mod service;
mod session;
pub mod store;
mod sync;
pub mod tasks;
mod topics;

pub use config::Config;
pub use error::Error;
pub use event_log::{
    CursorFacts, EventId, LogEntry, NewEntries, NewEntry, NewPayload, Page, Payload, Position, StreamName,
};
pub use ownership::{SessionId, UserId};
pub use service::{Dependencies, Service};
pub use session::{Handshake, Session, SessionUpdate};
