//! The logs of sessions.

use async_trait::async_trait;
use bytes::Bytes;
use change_feed::ChangeId;
use everything_proto::events::v1::Change;
use prost::Message;

use super::{
    RedisStore,
    reply::{self, PageReply},
};
use crate::{
    CursorFacts, Error, NewEntries, NewPayload, Page, Position, SessionId, StreamName, UserId,
    store::{EventLog, MAX_TAKEOVERS, PAGE_BYTES, PAGE_ENTRIES},
};

#[async_trait]
impl EventLog for RedisStore {
    async fn append(
        &self,
        id: &SessionId,
        user: &UserId,
        entries: &NewEntries,
    ) -> Result<Vec<Position>, Error> {
        let settings = &self.settings;
        let NewEntries {
            call,
            edge,
            entries,
            key,
            number,
            trace,
        } = entries;
        let mut invocation = self.owned(&self.scripts.append, id, user);
        invocation.arg(call.as_str()).arg(u8::from(call.is_standalone()));
        self.bound(&mut invocation)
            .arg(settings.max_open_calls)
            .arg(settings.max_awaited)
            .arg(trace.encode_to_vec())
            .arg(edge)
            .arg(key)
            .arg(number);
        for entry in entries {
            let (kind, data, opened) = match &entry.payload {
                NewPayload::Open(call) => ("o", call.encode_to_vec().into(), Some(call)),
                NewPayload::Message(json) => ("m", json.clone(), None),
                NewPayload::End => ("e", Bytes::new(), None),
            };
            let takeovers = opened
                .or(entry.still_open.as_ref())
                .map_or(0, |call| if call.repeatable { MAX_TAKEOVERS } else { 0 });
            let still_open = entry.still_open.as_ref().map(Message::encode_to_vec);
            let progress = entry.progress.map(|progress| progress.to_string());
            invocation
                .arg(kind)
                .arg(u8::from(entry.is_final))
                .arg(entry.awaits_answer.as_deref().unwrap_or_default())
                .arg(data.as_ref())
                .arg(takeovers)
                .arg(still_open.unwrap_or_default())
                .arg(progress.unwrap_or_default());
            if opened.is_some() {
                // Noted before it is opened: a call that nobody would find could never be ended.
                self.call_opened(edge, id, call).await?;
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
            self.call_ended(&ended, id, call).await;
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
            .keep(
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
        // What a client sees must not be lost with the master either.
        let page: Option<PageReply> = self
            .keep(
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
        invocation.arg(up_to.to_string());
        self.bound(&mut invocation);
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
