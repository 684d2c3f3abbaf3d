//! What is known of one session.

use std::collections::BTreeMap;

use bytes::Bytes;
use change_feed::ChangeId;
use everything_proto::feature::v1::LogLevel;

use crate::{SessionId, UserId};

/// A session, without its event log.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    pub protocol_version: String,
    pub client_info: Bytes,
    pub client_capabilities: Bytes,
    /// Unspecified: the client never set one.
    pub log_level: LogLevel,
    /// URI → the newest change when the client subscribed; only later ones concern it.
    pub subscriptions: BTreeMap<String, ChangeId>,
    pub initialized: bool,
    /// Unix time, milliseconds.
    pub created_at_ms: i64,
    /// Every change up to this one is in the session's log or does not concern it.
    pub last_change: ChangeId,
}

/// What changes; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct SessionUpdate {
    pub log_level: Option<LogLevel>,
    pub initialized: Option<bool>,
    pub handshake: Option<Handshake>,
    pub subscribe: Vec<(String, ChangeId)>,
    pub unsubscribe: Vec<String>,
}

/// What `initialize` settled.
#[derive(Clone, Debug)]
pub struct Handshake {
    pub protocol_version: String,
    pub client_info: Bytes,
    pub client_capabilities: Bytes,
}
