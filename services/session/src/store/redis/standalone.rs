//! Who receives a session's standalone stream.

use std::time::Duration;

use async_trait::async_trait;

use super::{RedisStore, reply, reply::tri};
use crate::{
    Error, Page, Position, SessionId, UserId,
    store::{Held, PAGE_BYTES, PAGE_ENTRIES, StandaloneStream},
};

#[async_trait]
impl StandaloneStream for RedisStore {
    async fn hold(
        &self,
        id: &SessionId,
        user: &UserId,
        holder: &str,
        cursor: Option<Position>,
    ) -> Result<Held, Error> {
        let cursor = cursor.map(|cursor| cursor.to_string()).unwrap_or_default();
        let held: Option<(String, String)> = self
            .run(self.owned(&self.scripts.hold, id, user).arg(holder).arg(cursor))
            .await?;
        let (cursor, before) = held.ok_or(Error::SessionNotFound)?;
        let superseded = Some(before).filter(|before| !before.is_empty() && before != holder);
        Ok(Held {
            cursor: reply::position(&cursor)?,
            superseded,
        })
    }

    async fn take(
        &self,
        id: &SessionId,
        holder: &str,
        after: Option<Position>,
    ) -> Result<Option<Page>, Error> {
        let after = after.map(|after| after.to_string()).unwrap_or_default();
        let taken: redis::Value = self
            .keep(
                self.on(&self.scripts.take, id)
                    .arg(holder)
                    .arg(after)
                    .arg(PAGE_ENTRIES)
                    .arg(PAGE_BYTES),
            )
            .await?;
        match reply::status(taken)? {
            (status, Some(page)) if status == "ok" => reply::page(page).map(Some),
            (status, _) if status == "other" => Ok(None),
            _ => Err(Error::SessionNotFound),
        }
    }

    async fn release(&self, id: &SessionId, holder: &str, delivered: Position) -> Result<bool, Error> {
        tri(self
            .run(
                self.on(&self.scripts.release, id)
                    .arg(holder)
                    .arg(delivered.to_string()),
            )
            .await?)
    }

    async fn claim(
        &self,
        id: &SessionId,
        holder: &str,
        stale: Duration,
        sent: Position,
    ) -> Result<Option<Position>, Error> {
        let stale = u64::try_from(stale.as_millis()).unwrap_or(u64::MAX);
        let mut invocation = self.on(&self.scripts.claim, id);
        invocation.arg(holder).arg(stale).arg(sent.to_string());
        let claimed: String = self.run(&invocation).await?;
        match claimed.as_str() {
            "gone" => Err(Error::SessionNotFound),
            "" => Ok(None),
            cursor => reply::position(cursor).map(Some),
        }
    }
}
