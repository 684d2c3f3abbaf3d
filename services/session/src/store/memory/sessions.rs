//! Sessions themselves.

use async_trait::async_trait;
use tokio::time::Instant;

use super::{MemoryStore, now_ms, record::Record};
use crate::{
    Error, Session, SessionId, SessionUpdate, UserId,
    store::{Renewal, Sessions},
    sync::lock,
};

#[async_trait]
impl Sessions for MemoryStore {
    async fn create(&self, session: &Session) -> Result<(), Error> {
        let mut inner = lock(&self.inner);
        let limit = self.settings.max_sessions_per_user;
        if let Some(sessions) = inner.users.get(&session.user)
            && sessions.len() >= limit
        {
            let now = Instant::now();
            let expired: Vec<_> = sessions
                .iter()
                .filter(|id| inner.sessions.get(id).is_none_or(|record| record.expires <= now))
                .cloned()
                .collect();
            if expired.is_empty() {
                return Err(Error::Limit {
                    what: "sessions of this user",
                    limit,
                });
            }
            for id in expired {
                inner.remove(&id);
            }
        }
        inner
            .users
            .entry(session.user.clone())
            .or_default()
            .insert(session.id.clone());
        inner.sessions.insert(
            session.id.clone(),
            Record::new(session.clone(), self.settings.ttl),
        );
        Ok(())
    }

    async fn get(&self, id: &SessionId, user: &UserId) -> Result<Session, Error> {
        Ok(lock(&self.inner)
            .owned(id, user, self.settings.ttl)?
            .session
            .clone())
    }

    async fn peek(&self, id: &SessionId) -> Result<Session, Error> {
        Ok(lock(&self.inner).record(id)?.session.clone())
    }

    async fn update(&self, id: &SessionId, user: &UserId, update: &SessionUpdate) -> Result<Session, Error> {
        let mut inner = lock(&self.inner);
        let session = &mut inner.owned(id, user, self.settings.ttl)?.session;
        let mut subscriptions = session.subscriptions.clone();
        for (uri, since) in &update.subscribe {
            subscriptions.entry(uri.clone()).or_insert(*since);
        }
        for uri in &update.unsubscribe {
            subscriptions.remove(uri);
        }
        let limit = self.settings.max_subscriptions;
        if !update.subscribe.is_empty() && subscriptions.len() > limit {
            return Err(Error::Limit {
                what: "subscriptions of this session",
                limit,
            });
        }
        session.subscriptions = subscriptions;
        if let Some(level) = update.log_level {
            session.log_level = level;
        }
        if let Some(initialized) = update.initialized {
            session.initialized = initialized;
        }
        if let Some(handshake) = update.handshake.clone() {
            session.protocol_version = handshake.protocol_version;
            session.client_info = handshake.client_info;
            session.client_capabilities = handshake.client_capabilities;
        }
        Ok(session.clone())
    }

    async fn delete(&self, id: &SessionId, user: &UserId) -> Result<(), Error> {
        let mut inner = lock(&self.inner);
        inner.owned(id, user, self.settings.ttl)?;
        inner.remove(id);
        Ok(())
    }

    async fn renew(&self, renewals: &[Renewal]) -> Result<Vec<SessionId>, Error> {
        let mut inner = lock(&self.inner);
        let mut gone = Vec::new();
        for renewal in renewals {
            match inner.record(&renewal.session) {
                Ok(record) => record.renew(renewal, now_ms(), &self.settings),
                Err(_) => gone.push(renewal.session.clone()),
            }
        }
        Ok(gone)
    }

    async fn missing(&self, ids: &[SessionId]) -> Result<Vec<SessionId>, Error> {
        let mut inner = lock(&self.inner);
        Ok(ids
            .iter()
            .filter(|id| inner.record(id).is_err())
            .cloned()
            .collect())
    }
}
