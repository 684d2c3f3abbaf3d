//! What clients send in: answers and cancellations.

use async_trait::async_trait;
use bytes::Bytes;

use super::{RedisStore, reply::tri};
use crate::{
    Error, SessionId, UserId,
    store::{AnsweredRequest, Answers, CANCEL_MEMORY, MAX_CANCELS},
};

#[async_trait]
impl Answers for RedisStore {
    async fn answer(
        &self,
        id: &SessionId,
        user: &UserId,
        request_id: &str,
        response: &Bytes,
    ) -> Result<bool, Error> {
        tri(self
            .keep(
                self.owned(&self.scripts.answer, id, user)
                    .arg(request_id)
                    .arg(response.as_ref()),
            )
            .await?)
    }

    async fn take_answers(
        &self,
        id: &SessionId,
        edge: &str,
        named: &[String],
        again: bool,
    ) -> Result<Vec<AnsweredRequest>, Error> {
        let mut invocation = self.on(&self.scripts.take_answers, id);
        invocation.arg(edge).arg(u8::from(again));
        for request_id in named {
            invocation.arg(request_id);
        }
        let answers: Option<Vec<(String, Vec<u8>)>> = self.run(&invocation).await?;
        let answers = answers.ok_or(Error::SessionNotFound)?;
        let mut answers: Vec<_> = answers
            .into_iter()
            .map(|(request_id, answer)| (request_id, Bytes::from(answer)))
            .collect();
        answers.sort();
        Ok(answers)
    }

    async fn cancel(
        &self,
        id: &SessionId,
        user: &UserId,
        request_id_json: &Bytes,
        reason: &str,
    ) -> Result<(), Error> {
        let cancelled: bool = self
            .keep(
                self.owned(&self.scripts.cancel, id, user)
                    .arg(request_id_json.as_ref())
                    .arg(reason)
                    .arg(MAX_CANCELS),
            )
            .await?;
        if cancelled {
            Ok(())
        } else {
            Err(Error::SessionNotFound)
        }
    }

    async fn cancels(&self, id: &SessionId) -> Result<Vec<(Bytes, String)>, Error> {
        let memory = u64::try_from(CANCEL_MEMORY.as_millis()).unwrap_or(u64::MAX);
        let cancels: Option<Vec<(Vec<u8>, String)>> =
            self.run(self.on(&self.scripts.cancels, id).arg(memory)).await?;
        let cancels = cancels.ok_or(Error::SessionNotFound)?;
        Ok(cancels
            .into_iter()
            .map(|(id, reason)| (id.into(), reason))
            .collect())
    }
}
