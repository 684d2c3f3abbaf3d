//! Leases of edges, and which calls they run.

use std::time::Duration;

use async_trait::async_trait;
use everything_proto::session::v1::OpenCall;
use tokio::time::Instant;

use super::{MemoryStore, now_ms};
use crate::{Error, Position, SessionId, StreamName, store::Edges, sync::lock};

#[async_trait]
impl Edges for MemoryStore {
    async fn renew_edge(&self, edge: &str, lease: Duration) -> Result<(), Error> {
        lock(&self.inner).edge(edge, lease).lease_ends = Instant::now() + lease;
        Ok(())
    }

    async fn lose_edge(&self, edge: &str) -> Result<(), Error> {
        if let Some(edge) = lock(&self.inner).edges.get_mut(edge) {
            edge.lease_ends = Instant::now();
        }
        Ok(())
    }

    async fn lost_edges(&self) -> Result<Vec<String>, Error> {
        let now = Instant::now();
        let inner = lock(&self.inner);
        let lost = inner.edges.iter().filter(|(_, edge)| edge.lease_ends <= now);
        Ok(lost.map(|(id, _)| id.clone()).collect())
    }

    async fn calls_of(&self, edge: &str) -> Result<Vec<(SessionId, StreamName)>, Error> {
        let inner = lock(&self.inner);
        Ok(inner
            .edges
            .get(edge)
            .map(|edge| edge.calls.iter().cloned().collect())
            .unwrap_or_default())
    }

    async fn interrupt(
        &self,
        id: &SessionId,
        stream: &StreamName,
        edge: &str,
    ) -> Result<Option<(OpenCall, Position)>, Error> {
        let mut inner = lock(&self.inner);
        if let Some(edge) = inner.edges.get_mut(edge) {
            edge.calls.remove(&(id.clone(), stream.clone()));
        }
        match inner.record(id) {
            Ok(record) => Ok(record.interrupt(stream, edge, now_ms(), &self.settings)),
            Err(_) => Ok(None),
        }
    }

    async fn forget_edge(&self, edge: &str) -> Result<(), Error> {
        let now = Instant::now();
        let mut inner = lock(&self.inner);
        if inner
            .edges
            .get(edge)
            .is_some_and(|edge| edge.lease_ends <= now && edge.calls.is_empty())
        {
            inner.edges.remove(edge);
        }
        Ok(())
    }
}
