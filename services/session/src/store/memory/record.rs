//! One session and its log. Mirrors the scripts of the Redis store.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use change_feed::ChangeId;
use everything_proto::{
    events::v1::{Change, TraceContext},
    session::v1::OpenCall,
};
use prost::Message;
use tokio::time::Instant;

use crate::{
    CursorFacts, Error, LogEntry, NewEntry, NewPayload, Page, Payload, Position, Session, StreamName,
    store::{
        AnsweredRequest, CANCEL_MEMORY, ENTRY_OVERHEAD_BYTES, Held, MAX_CANCELS, PAGE_BYTES, PAGE_ENTRIES,
        Renewal, StoreSettings,
    },
};

pub(super) struct Record {
    pub(super) session: Session,
    pub(super) expires: Instant,
    /// Calls whose streams are open.
    pub(super) calls: HashMap<StreamName, OpenCall>,
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

struct Logged {
    stream: StreamName,
    position: Position,
    follows: Position,
    /// `None`: the entry that opened the stream.
    payload: Option<Payload>,
    is_final: bool,
    trace: TraceContext,
    bytes: usize,
}

struct Awaited {
    stream: StreamName,
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

    pub(super) fn renew(&mut self, renewal: &Renewal, ttl: Duration) {
        self.expires = Instant::now() + ttl;
        if let (Some(holder), Some(name)) = (&mut self.holder, &renewal.holder)
            && holder.name == *name
        {
            holder.seen = Instant::now();
        }
        if let Some(change) = renewal.change {
            self.session.last_change = self.session.last_change.max(change);
        }
    }

    /// Whether all entries can be appended in this order.
    pub(super) fn admit(
        &self,
        stream: &StreamName,
        entries: &[NewEntry],
        settings: &StoreSettings,
    ) -> Result<(), Error> {
        let mut open = stream.is_standalone() || self.calls.contains_key(stream);
        for entry in entries {
            match entry.payload {
                NewPayload::Open(_) if open => return Err(Error::StreamOpen),
                NewPayload::Open(_) if self.calls.len() >= settings.max_open_calls => {
                    return Err(Error::Limit {
                        what: "open calls of this session",
                        limit: settings.max_open_calls,
                    });
                }
                NewPayload::Open(_) => open = true,
                NewPayload::Message(_) | NewPayload::End if !open => return Err(Error::StreamNotOpen),
                NewPayload::Message(_) | NewPayload::End => open = !entry.is_final,
            }
        }
        Ok(())
    }

    pub(super) fn append(
        &mut self,
        stream: &StreamName,
        entry: &NewEntry,
        trace: &TraceContext,
        now_ms: u64,
        settings: &StoreSettings,
    ) -> Position {
        let payload = match &entry.payload {
            NewPayload::Open(call) => {
                self.calls.insert(stream.clone(), call.clone());
                None
            }
            NewPayload::Message(json) => Some(Payload::Message(json.clone())),
            NewPayload::End => Some(Payload::End),
        };
        let position = self.log(stream, payload, entry.is_final, trace.clone(), now_ms, settings);
        if let Some(request_id) = &entry.awaits_answer {
            self.expect_answer(request_id, stream, position, settings.max_awaited);
        }
        if entry.is_final {
            self.close(stream);
        }
        position
    }

    fn log(
        &mut self,
        stream: &StreamName,
        payload: Option<Payload>,
        is_final: bool,
        trace: TraceContext,
        now_ms: u64,
        settings: &StoreSettings,
    ) -> Position {
        let position = if now_ms > self.last_position.ms {
            Position { ms: now_ms, seq: 0 }
        } else {
            Position {
                ms: self.last_position.ms,
                seq: self.last_position.seq + 1,
            }
        };
        self.last_position = position;
        let follows = self.last.insert(stream.clone(), position).unwrap_or_default();
        let payload_bytes = match &payload {
            None | Some(Payload::End) => 0,
            Some(Payload::Message(json)) => json.len(),
            Some(Payload::Change(change)) => change.encoded_len(),
            Some(Payload::Interrupted(call)) => call.encoded_len(),
        };
        let bytes = ENTRY_OVERHEAD_BYTES + payload_bytes + trace.encoded_len();
        self.log_bytes += bytes;
        self.log.push_back(Logged {
            stream: stream.clone(),
            position,
            follows,
            payload,
            is_final,
            trace,
            bytes,
        });
        while self.log.len() > 1
            && (self.log.len() > settings.log_max_entries || self.log_bytes > settings.log_max_bytes)
        {
            if let Some(oldest) = self.log.pop_front() {
                self.log_bytes -= oldest.bytes;
                self.trimmed = oldest.position;
            }
        }
        position
    }

    fn close(&mut self, stream: &StreamName) {
        self.calls.remove(stream);
        self.last.remove(stream);
        self.awaited.retain(|_, awaited| awaited.stream != *stream);
    }

    fn expect_answer(&mut self, request_id: &str, stream: &StreamName, asked: Position, limit: usize) {
        if self.awaited.len() >= limit
            && !self.awaited.contains_key(request_id)
            && let Some(oldest) = self
                .awaited
                .iter()
                .min_by_key(|(_, awaited)| awaited.asked)
                .map(|(id, _)| id.clone())
        {
            self.awaited.remove(&oldest);
        }
        let awaited = Awaited {
            stream: stream.clone(),
            asked,
            answer: None,
            taken: false,
        };
        self.awaited.insert(request_id.to_owned(), awaited);
    }

    pub(super) fn inspect(&self, stream: &StreamName, cursor: Position) -> CursorFacts {
        let own = || self.log.iter().filter(|entry| entry.stream == *stream);
        CursorFacts {
            next_follows: own()
                .find(|entry| entry.position > cursor)
                .map(|entry| entry.follows),
            last: self.last.get(stream).copied(),
            at_final: own().any(|entry| entry.position == cursor && entry.is_final),
            trimmed: self.trimmed,
        }
    }

    pub(super) fn read(&self, stream: &StreamName, after: Position) -> Page {
        let mut page = Page {
            reached: after,
            ..Page::default()
        };
        let mut bytes = 0;
        let start = self.log.partition_point(|entry| entry.position <= after);
        for entry in self.log.range(start..) {
            if page.entries.len() >= PAGE_ENTRIES || bytes >= PAGE_BYTES {
                page.more = true;
                break;
            }
            page.reached = entry.position;
            if let Some(payload) = entry.payload.as_ref().filter(|_| entry.stream == *stream) {
                bytes += entry.bytes;
                page.entries.push(LogEntry {
                    position: entry.position,
                    payload: payload.clone(),
                    is_final: entry.is_final,
                    trace: entry.trace.clone(),
                });
            }
        }
        page
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

    pub(super) fn take(&mut self, name: &str) -> Option<Page> {
        if self.holder.as_ref().is_none_or(|holder| holder.name != name) {
            return None;
        }
        let page = self.read(&StreamName::standalone(), self.cursor);
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

    pub(super) fn claim(&mut self, name: &str, stale: Duration) -> bool {
        let now = Instant::now();
        if self
            .holder
            .as_ref()
            .is_some_and(|holder| holder.name != name && now < holder.seen + stale)
        {
            return false;
        }
        self.holder = Some(Holder {
            name: name.to_owned(),
            seen: now,
        });
        true
    }

    pub(super) fn answer(&mut self, request_id: &str, response: &Bytes) -> bool {
        match self.awaited.get_mut(request_id) {
            Some(awaited) if awaited.answer.is_none() => {
                awaited.answer = Some(response.clone());
                true
            }
            _ => false,
        }
    }

    pub(super) fn take_answers(&mut self, edge: &str, named: &[String], again: bool) -> Vec<AnsweredRequest> {
        let mut answers = Vec::new();
        for (request_id, awaited) in &mut self.awaited {
            let Some(answer) = &awaited.answer else { continue };
            let is_named = named.contains(request_id);
            let is_own = self
                .calls
                .get(&awaited.stream)
                .is_some_and(|call| call.edge_id == edge);
            if (is_named || is_own) && !awaited.taken || is_named && again {
                awaited.taken = true;
                answers.push((request_id.clone(), answer.clone()));
            }
        }
        answers.sort();
        answers
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

    pub(super) fn append_changes(
        &mut self,
        changes: &[(ChangeId, Change)],
        up_to: ChangeId,
        now_ms: u64,
        settings: &StoreSettings,
    ) -> usize {
        let last = self.session.last_change;
        let mut appended = 0;
        for (_, change) in changes.iter().filter(|(id, _)| *id > last) {
            let trace = change.trace.clone().unwrap_or_default();
            let payload = Some(Payload::Change(change.clone()));
            self.log(&StreamName::standalone(), payload, false, trace, now_ms, settings);
            appended += 1;
        }
        self.session.last_change = last.max(up_to);
        appended
    }

    pub(super) fn interrupt(
        &mut self,
        stream: &StreamName,
        edge: &str,
        now_ms: u64,
        settings: &StoreSettings,
    ) -> Option<(OpenCall, Position)> {
        let call = self
            .calls
            .get(stream)
            .filter(|call| call.edge_id == edge)?
            .clone();
        let payload = Some(Payload::Interrupted(call.clone()));
        let position = self.log(stream, payload, true, TraceContext::default(), now_ms, settings);
        self.close(stream);
        Some((call, position))
    }
}
