//! What clients send in: answers and cancellations.

use async_trait::async_trait;
use bytes::Bytes;

use super::MemoryStore;
use crate::{
    Error, SessionId, UserId,
    store::{AnsweredRequest, Answers},
    sync::lock,
};

#[async_trait]
impl Answers for MemoryStore {
    async fn answer(
        &self,
        id: &SessionId,
        user: &UserId,
        request_id: &str,
        response: &Bytes,
    ) -> Result<bool, Error> {
        Ok(lock(&self.inner)
            .owned(id, user, self.settings.ttl)?
            .answer(request_id, response))
    }

    async fn take_answers(
        &self,
        id: &SessionId,
        edge: &str,
        named: &[String],
        again: bool,
    ) -> Result<Vec<AnsweredRequest>, Error> {
        Ok(lock(&self.inner).record(id)?.take_answers(edge, named, again))
    }

    async fn cancel(
        &self,
        id: &SessionId,
        user: &UserId,
        request_id_json: &Bytes,
        reason: &str,
    ) -> Result<(), Error> {
        lock(&self.inner)
            .owned(id, user, self.settings.ttl)?
            .cancel(request_id_json, reason);
        Ok(())
    }

    async fn cancels(&self, id: &SessionId) -> Result<Vec<(Bytes, String)>, Error> {
        Ok(lock(&self.inner).record(id)?.cancels())
    }
}
