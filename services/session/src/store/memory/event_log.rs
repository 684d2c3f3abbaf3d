//! The logs of sessions.

use async_trait::async_trait;
use change_feed::ChangeId;
use everything_proto::events::v1::Change;

use super::{MemoryStore, now_ms};
use crate::{
    CursorFacts, Error, NewEntries, NewPayload, Page, Position, SessionId, StreamName, UserId,
    store::EventLog, sync::lock,
};

#[async_trait]
impl EventLog for MemoryStore {
    async fn append(
        &self,
        id: &SessionId,
        user: &UserId,
        entries: &NewEntries,
    ) -> Result<Vec<Position>, Error> {
        let mut inner = lock(&self.inner);
        let record = inner.owned(id, user, self.settings.ttl)?;
        if let Some(made) = record.made(entries)? {
            return Ok(made);
        }
        record.admit(entries, &self.settings)?;
        let positions = record.append(entries, now_ms(), &self.settings);
        let call = (id.clone(), entries.call.clone());
        for entry in &entries.entries {
            if matches!(entry.payload, NewPayload::Open(_)) {
                let edge = inner.edge(&entries.edge, self.settings.first_lease);
                edge.calls.insert(call.clone());
            }
            if entry.is_final
                && let Some(edge) = inner.edges.get_mut(&entries.edge)
            {
                edge.calls.remove(&call);
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
