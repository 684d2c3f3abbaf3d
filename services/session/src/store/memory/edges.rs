//! Leases of edges, and which calls they run.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{MemoryStore, now_ms};
use crate::{
    Error, SessionId, StreamName, UserId,
    store::{Edges, Fate, NOBODY, TakenOver},
    sync::lock,
};

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

    async fn has_other_edge(&self, edge: &str) -> Result<bool, Error> {
        let now = Instant::now();
        let inner = lock(&self.inner);
        Ok(inner
            .edges
            .iter()
            .any(|(id, other)| id != edge && other.lease_ends > now))
    }

    async fn bury(
        &self,
        id: &SessionId,
        call: &StreamName,
        edge: &str,
        to: Option<&str>,
    ) -> Result<Fate, Error> {
        let mut inner = lock(&self.inner);
        let fate = match inner.record(id) {
            Ok(record) => record.bury(call, edge, to, now_ms(), &self.settings),
            Err(_) => Fate::NotOpen,
        };
        if fate == Fate::Waiting {
            return Ok(fate);
        }
        let member = (id.clone(), call.clone());
        if let Some(edge) = inner.edges.get_mut(edge) {
            edge.calls.remove(&member);
        }
        if let (Fate::TakenOver(_), Some(to)) = (&fate, to) {
            inner.edge(to, self.settings.ttl).calls.insert(member);
        }
        Ok(fate)
    }

    async fn taken_over(
        &self,
        id: &SessionId,
        call: &StreamName,
        edge: &str,
    ) -> Result<Option<TakenOver>, Error> {
        match lock(&self.inner).record(id) {
            Ok(record) => Ok(record.taken_over(call, edge)),
            Err(_) => Ok(None),
        }
    }

    async fn hand_over(
        &self,
        id: &SessionId,
        user: &UserId,
        call: &StreamName,
        edge: &str,
    ) -> Result<bool, Error> {
        let mut inner = lock(&self.inner);
        if !inner.owned(id, user, self.settings.ttl)?.hand_over(call, edge) {
            return Ok(false);
        }
        let member = (id.clone(), call.clone());
        if let Some(edge) = inner.edges.get_mut(edge) {
            edge.calls.remove(&member);
        }
        let nobody = inner.edge(NOBODY, Duration::ZERO);
        nobody.lease_ends = Instant::now();
        nobody.calls.insert(member);
        Ok(true)
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
