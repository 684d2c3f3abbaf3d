//! One session and its log. Mirrors the scripts of the Redis store.

mod calls;
mod log;

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use everything_proto::{events::v1::TraceContext, session::v1::OpenCall};
use std::time::Duration;
use tokio::time::Instant;

use crate::{
    Page, Payload, Position, Session, StreamName,
    store::{CANCEL_MEMORY, Held, MAX_CANCELS, Renewal, StoreSettings},
};

pub(super) struct Record {
    pub(super) session: Session,
    pub(super) expires: Instant,
    /// Calls that are open.
    calls: HashMap<StreamName, Open>,
    /// The calls that ended last: what comes late must not open them again.
    ended: VecDeque<StreamName>,
    log: VecDeque<Logged>,
    log_bytes: usize,
    last_position: Position,
    trimmed: Position,
    /// The last entry of each open stream.
    last: HashMap<StreamName, Position>,
    awaited: HashMap<String, Awaited>,
    cursor: Position,
    holder: Option<Holder>,
    cancels: VecDeque<(Instant, Bytes, String)>,
}

struct Open {
    call: OpenCall,
    /// Who runs it.
    edge: String,
    /// How often it may still be taken over.
    takeovers: u32,
    taken: bool,
    /// Of the append that opened it.
    key: String,
    /// Of the last append.
    number: u32,
    progress: Option<f64>,
}

struct Logged {
    stream: StreamName,
    position: Position,
    follows: Position,
    /// `None`: the entry that opened the stream.
    payload: Option<Payload>,
    is_final: bool,
    trace: TraceContext,
    /// Of the append that made it.
    key: String,
    bytes: usize,
}

struct Awaited {
    call: StreamName,
    asked: Position,
    answer: Option<Bytes>,
    taken: bool,
}

struct Holder {
    name: String,
    seen: Instant,
}

impl Record {
    pub(super) fn new(session: Session, ttl: Duration) -> Self {
        Self {
            session,
            expires: Instant::now() + ttl,
            calls: HashMap::new(),
            ended: VecDeque::new(),
            log: VecDeque::new(),
            log_bytes: 0,
            last_position: Position::ZERO,
            trimmed: Position::ZERO,
            last: HashMap::new(),
            awaited: HashMap::new(),
            cursor: Position::ZERO,
            holder: None,
            cancels: VecDeque::new(),
        }
    }

    pub(super) fn renew(&mut self, renewal: &Renewal, now_ms: u64, settings: &StoreSettings) {
        self.expires = Instant::now() + settings.ttl;
        self.trim(now_ms, settings);
        if let (Some(holder), Some(name)) = (&mut self.holder, &renewal.holder)
            && holder.name == *name
        {
            holder.seen = Instant::now();
        }
        if let Some(change) = renewal.change {
            self.session.last_change = self.session.last_change.max(change);
        }
    }

    pub(super) fn hold(&mut self, name: &str, cursor: Option<Position>) -> Held {
        if let Some(cursor) = cursor {
            self.cursor = cursor;
        }
        let holder = Holder {
            name: name.to_owned(),
            seen: Instant::now(),
        };
        let superseded = self.holder.replace(holder).map(|holder| holder.name);
        Held {
            cursor: self.cursor,
            superseded: superseded.filter(|superseded| superseded != name),
        }
    }

    pub(super) fn take(&mut self, name: &str, after: Option<Position>) -> Option<Page> {
        if self.holder.as_ref().is_none_or(|holder| holder.name != name) {
            return None;
        }
        let page = self.read(&StreamName::standalone(), after.unwrap_or(self.cursor));
        // The cursor is always a place of this stream, so that it is also an event id.
        if let Some(last) = page.entries.last() {
            self.cursor = last.position;
        }
        Some(page)
    }

    pub(super) fn release(&mut self, name: &str, delivered: Position) -> bool {
        if self.holder.as_ref().is_none_or(|holder| holder.name != name) {
            return false;
        }
        self.holder = None;
        self.cursor = delivered;
        true
    }

    pub(super) fn claim(&mut self, name: &str, stale: Duration, sent: Position) -> Option<Position> {
        let now = Instant::now();
        let before = self.holder.as_ref();
        let is_own = before.is_some_and(|holder| holder.name == name);
        if !is_own && before.is_some_and(|holder| now < holder.seen + stale) {
            return None;
        }
        self.holder = Some(Holder {
            name: name.to_owned(),
            seen: now,
        });
        self.cursor = self.cursor.max(sent);
        Some(self.cursor)
    }

    pub(super) fn cancel(&mut self, request_id_json: &Bytes, reason: &str) {
        self.cancels.retain(|(_, id, _)| id != request_id_json);
        if self.cancels.len() >= MAX_CANCELS {
            self.cancels.pop_front();
        }
        self.cancels
            .push_back((Instant::now(), request_id_json.clone(), reason.to_owned()));
    }

    pub(super) fn cancels(&self) -> Vec<(Bytes, String)> {
        let now = Instant::now();
        let recent = self.cancels.iter().filter(|(at, ..)| now < *at + CANCEL_MEMORY);
        recent
            .map(|(_, id, reason)| (id.clone(), reason.clone()))
            .collect()
    }
}
