//! The log itself: its order, its bounds, and what it says.

use change_feed::ChangeId;
use everything_proto::events::v1::{Change, TraceContext};
use prost::Message;

use super::{Logged, Record};
use crate::{
    CursorFacts, LogEntry, Page, Payload, Position, StreamName,
    store::{ENTRY_OVERHEAD_BYTES, PAGE_BYTES, PAGE_ENTRIES, StoreSettings},
};

/// An entry on its way into the log.
pub(super) struct Entry {
    pub(super) stream: StreamName,
    /// `None`: it opens the stream.
    pub(super) payload: Option<Payload>,
    pub(super) is_final: bool,
    pub(super) trace: TraceContext,
    pub(super) key: String,
}

impl Record {
    pub(super) fn log(&mut self, entry: Entry, now_ms: u64, settings: &StoreSettings) -> Position {
        let Entry {
            stream,
            payload,
            is_final,
            trace,
            key,
        } = entry;
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
            stream,
            position,
            follows,
            payload,
            is_final,
            trace,
            key,
            bytes,
        });
        self.trim(now_ms, settings);
        position
    }

    /// Lets the oldest entries go. The newest stays.
    pub(super) fn trim(&mut self, now_ms: u64, settings: &StoreSettings) {
        let max_age_ms = u64::try_from(settings.log_max_age.as_millis()).unwrap_or(u64::MAX);
        let oldest_ms = now_ms.saturating_sub(max_age_ms);
        while self.log.len() > 1
            && let Some(oldest) = self.log.front()
            && (self.log.len() > settings.log_max_entries
                || self.log_bytes > settings.log_max_bytes
                || oldest.position.ms < oldest_ms)
        {
            self.log_bytes -= oldest.bytes;
            self.trimmed = oldest.position;
            self.log.pop_front();
        }
    }

    pub(in crate::store::memory) fn inspect(&self, stream: &StreamName, cursor: Position) -> CursorFacts {
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

    pub(in crate::store::memory) fn read(&self, stream: &StreamName, after: Position) -> Page {
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

    pub(in crate::store::memory) fn append_changes(
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
            let entry = Entry {
                stream: StreamName::standalone(),
                payload: Some(Payload::Change(change.clone())),
                is_final: false,
                trace,
                key: String::new(),
            };
            self.log(entry, now_ms, settings);
            appended += 1;
        }
        self.session.last_change = last.max(up_to);
        appended
    }
}
