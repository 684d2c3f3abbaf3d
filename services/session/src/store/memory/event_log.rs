//! The logs of sessions.

use async_trait::async_trait;
use change_feed::ChangeId;
use everything_proto::events::v1::{Change, TraceContext};

use super::{MemoryStore, now_ms};
use crate::{
    CursorFacts, Error, NewEntry, NewPayload, Page, Position, SessionId, StreamName, UserId, store::EventLog,
    sync::lock,
};

#[async_trait]
impl EventLog for MemoryStore {
    async fn append(
        &self,
        id: &SessionId,
        user: &UserId,
        stream: &StreamName,
        entries: &[NewEntry],
        trace: &TraceContext,
    ) -> Result<Vec<Position>, Error> {
        let mut inner = lock(&self.inner);
        let record = inner.owned(id, user, self.settings.ttl)?;
        record.admit(stream, entries, &self.settings)?;
        let edge_before = record.calls.get(stream).map(|call| call.edge_id.clone());
        let positions: Vec<_> = entries
            .iter()
            .map(|entry| record.append(stream, entry, trace, now_ms(), &self.settings))
            .collect();
        let call = (id.clone(), stream.clone());
        for entry in entries {
            if let NewPayload::Open(open) = &entry.payload {
                // An edge that never connected is given one time to live to do so.
                inner
                    .edge(&open.edge_id, self.settings.ttl)
                    .calls
                    .insert(call.clone());
            }
        }
        if entries.iter().any(|entry| entry.is_final) {
            for edge in edge_before.iter() {
                if let Some(edge) = inner.edges.get_mut(edge) {
                    edge.calls.remove(&call);
                }
            }
        }
        Ok(positions)
    }

    async fn inspect(
        &self,
        id: &SessionId,
        user: &UserId,
        stream: &StreamName,
        cursor: Position,
    ) -> Result<CursorFacts, Error> {
        Ok(lock(&self.inner)
            .owned(id, user, self.settings.ttl)?
            .inspect(stream, cursor))
    }

    async fn read(&self, id: &SessionId, stream: &StreamName, after: Position) -> Result<Page, Error> {
        Ok(lock(&self.inner).record(id)?.read(stream, after))
    }

    async fn append_changes(
        &self,
        id: &SessionId,
        changes: &[(ChangeId, Change)],
        up_to: ChangeId,
    ) -> Result<usize, Error> {
        Ok(lock(&self.inner)
            .record(id)?
            .append_changes(changes, up_to, now_ms(), &self.settings))
    }
}
