//! Who receives a session's standalone stream.

use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    Error, Page, Position, SessionId, UserId,
    store::{Held, StandaloneStream},
    sync::lock,
};

#[async_trait]
impl StandaloneStream for MemoryStore {
    async fn hold(
        &self,
        id: &SessionId,
        user: &UserId,
        holder: &str,
        cursor: Option<Position>,
    ) -> Result<Held, Error> {
        Ok(lock(&self.inner)
            .owned(id, user, self.settings.ttl)?
            .hold(holder, cursor))
    }

    async fn take(
        &self,
        id: &SessionId,
        holder: &str,
        after: Option<Position>,
    ) -> Result<Option<Page>, Error> {
        Ok(lock(&self.inner).record(id)?.take(holder, after))
    }

    async fn release(&self, id: &SessionId, holder: &str, delivered: Position) -> Result<bool, Error> {
        Ok(lock(&self.inner).record(id)?.release(holder, delivered))
    }

    async fn claim(
        &self,
        id: &SessionId,
        holder: &str,
        stale: Duration,
        sent: Position,
    ) -> Result<Option<Position>, Error> {
        Ok(lock(&self.inner).record(id)?.claim(holder, stale, sent))
    }
}
