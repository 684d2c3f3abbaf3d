//! The logs of sessions.

use async_trait::async_trait;
use bytes::Bytes;
use change_feed::ChangeId;
use everything_proto::events::v1::{Change, TraceContext};
use prost::Message;

use super::{
    RedisStore,
    reply::{self, PageReply},
};
use crate::{
    CursorFacts, Error, NewEntry, NewPayload, Page, Position, SessionId, StreamName, UserId,
    store::{EventLog, PAGE_BYTES, PAGE_ENTRIES},
};

#[async_trait]
impl EventLog for RedisStore {
    async fn append(
        &self,
        id: &SessionId,
        user: &UserId,
        stream: &StreamName,
        entries: &[NewEntry],
        trace: &TraceContext,
    ) -> Result<Vec<Position>, Error> {
        let settings = &self.settings;
        let mut invocation = self.owned(&self.scripts.append, id, user);
        invocation
            .arg(stream.as_str())
            .arg(u8::from(stream.is_standalone()))
            .arg(settings.log_max_entries)
            .arg(settings.log_max_bytes)
            .arg(settings.max_open_calls)
            .arg(settings.max_awaited)
            .arg(trace.encode_to_vec());
        for entry in entries {
            let (kind, data, edge) = match &entry.payload {
                NewPayload::Open(call) => ("o", call.encode_to_vec().into(), call.edge_id.as_str()),
                NewPayload::Message(json) => ("m", json.clone(), ""),
                NewPayload::End => ("e", Bytes::new(), ""),
            };
            let awaits = entry.awaits_answer.as_deref().unwrap_or_default();
            invocation
                .arg(kind)
                .arg(u8::from(entry.is_final))
                .arg(awaits)
                .arg(data.as_ref())
                .arg(edge);
            if !edge.is_empty() {
                // Noted before it is opened: a call that nobody would find could never be ended.
                self.call_opened(edge, id, stream).await?;
            }
        }
        let (status, ended, positions): (String, String, Vec<String>) = self.keep(&invocation).await?;
        match status.as_str() {
            "ok" => {}
            "open" => return Err(Error::StreamOpen),
            "closed" => return Err(Error::StreamNotOpen),
            "calls" => {
                return Err(Error::Limit {
                    what: "open calls of this session",
                    limit: settings.max_open_calls,
                });
            }
            _ => return Err(Error::SessionNotFound),
        }
        if !ended.is_empty() {
            self.call_ended(&ended, id, stream).await;
        }
        positions
            .iter()
            .map(|position| reply::position(position))
            .collect()
    }

    async fn inspect(
        &self,
        id: &SessionId,
        user: &UserId,
        stream: &StreamName,
        cursor: Position,
    ) -> Result<CursorFacts, Error> {
        let facts: Option<(String, String, bool, String)> = self
            .run(
                self.owned(&self.scripts.inspect, id, user)
                    .arg(stream.as_str())
                    .arg(cursor.to_string()),
            )
            .await?;
        let (next_follows, last, at_final, trimmed) = facts.ok_or(Error::SessionNotFound)?;
        let optional = |text: &str| {
            if text.is_empty() {
                Ok(None)
            } else {
                reply::position(text).map(Some)
            }
        };
        Ok(CursorFacts {
            next_follows: optional(&next_follows)?,
            last: optional(&last)?,
            at_final,
            trimmed: reply::position(&trimmed)?,
        })
    }

    async fn read(&self, id: &SessionId, stream: &StreamName, after: Position) -> Result<Page, Error> {
        let page: Option<PageReply> = self
            .run(
                self.on(&self.scripts.read, id)
                    .arg(stream.as_str())
                    .arg(after.to_string())
                    .arg(PAGE_ENTRIES)
                    .arg(PAGE_BYTES),
            )
            .await?;
        reply::page(page.ok_or(Error::SessionNotFound)?)
    }

    async fn append_changes(
        &self,
        id: &SessionId,
        changes: &[(ChangeId, Change)],
        up_to: ChangeId,
    ) -> Result<usize, Error> {
        let mut invocation = self.on(&self.scripts.append_changes, id);
        invocation
            .arg(up_to.to_string())
            .arg(self.settings.log_max_entries)
            .arg(self.settings.log_max_bytes);
        for (change_id, change) in changes {
            let trace = change.trace.clone().unwrap_or_default();
            invocation
                .arg(change_id.to_string())
                .arg(change.encode_to_vec())
                .arg(trace.encode_to_vec());
        }
        let appended: i64 = self.keep(&invocation).await?;
        usize::try_from(appended).map_err(|_| Error::SessionNotFound)
    }
}
