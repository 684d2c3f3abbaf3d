//! Sessions themselves, and how many a user has.

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use redis_store::keys;
use sha2::{Digest, Sha256};

use super::{
    RedisStore,
    reply::{self, Described},
};
use crate::{
    Error, Session, SessionId, SessionUpdate, UserId,
    store::{Renewal, Sessions},
};

/// Sessions renewed or looked up at a time, over the one connection.
const CONCURRENT_RENEWALS: usize = 128;

#[async_trait]
impl Sessions for RedisStore {
    async fn create(&self, session: &Session) -> Result<(), Error> {
        let () = self
            .keep(
                self.owned(&self.scripts.create, &session.id, &session.user)
                    .arg("protocol_version")
                    .arg(&session.protocol_version)
                    .arg("client_info")
                    .arg(session.client_info.as_ref())
                    .arg("client_capabilities")
                    .arg(session.client_capabilities.as_ref())
                    .arg("log_level")
                    .arg(i32::from(session.log_level))
                    .arg("initialized")
                    .arg(u8::from(session.initialized))
                    .arg("created_at_ms")
                    .arg(session.created_at_ms)
                    .arg("last_change")
                    .arg(session.last_change.to_string()),
            )
            .await?;
        self.admit(session).await
    }

    async fn get(&self, id: &SessionId, user: &UserId) -> Result<Session, Error> {
        let described: Option<Described> = self.run(&self.owned(&self.scripts.get, id, user)).await?;
        reply::session(id, described.ok_or(Error::SessionNotFound)?)
    }

    async fn peek(&self, id: &SessionId) -> Result<Session, Error> {
        let described: Option<Described> = self.run(&self.on(&self.scripts.peek, id)).await?;
        reply::session(id, described.ok_or(Error::SessionNotFound)?)
    }

    async fn update(&self, id: &SessionId, user: &UserId, update: &SessionUpdate) -> Result<Session, Error> {
        let mut fields: Vec<(&str, Bytes)> = Vec::new();
        if let Some(level) = update.log_level {
            fields.push(("log_level", i32::from(level).to_string().into()));
        }
        if let Some(initialized) = update.initialized {
            fields.push(("initialized", u8::from(initialized).to_string().into()));
        }
        if let Some(handshake) = update.handshake.clone() {
            fields.push(("protocol_version", handshake.protocol_version.into()));
            fields.push(("client_info", handshake.client_info));
            fields.push(("client_capabilities", handshake.client_capabilities));
        }
        let limit = self.settings.max_subscriptions;
        let mut invocation = self.owned(&self.scripts.update, id, user);
        invocation
            .arg(limit)
            .arg(fields.len())
            .arg(update.subscribe.len());
        for (field, value) in &fields {
            invocation.arg(field).arg(value.as_ref());
        }
        for (uri, since) in &update.subscribe {
            invocation.arg(uri).arg(since.to_string());
        }
        for uri in &update.unsubscribe {
            invocation.arg(uri);
        }
        let updated: redis::Value = self.keep(&invocation).await?;
        match reply::status(updated)? {
            (status, Some(described)) if status == "ok" => reply::session(id, described),
            (status, _) if status == "limit" => Err(Error::Limit {
                what: "subscriptions of this session",
                limit,
            }),
            _ => Err(Error::SessionNotFound),
        }
    }

    async fn delete(&self, id: &SessionId, user: &UserId) -> Result<(), Error> {
        let deleted: bool = self.keep(&self.owned(&self.scripts.delete, id, user)).await?;
        if !deleted {
            return Err(Error::SessionNotFound);
        }
        // The session is gone; its place in the count goes now or with the next look at it.
        if let Err(error) = self.command::<()>("ZREM", (user_key(user), id.as_str())).await {
            tracing::debug!(%error, "a deleted session still counts for its user");
        }
        Ok(())
    }

    async fn renew(&self, renewals: &[Renewal]) -> Result<Vec<SessionId>, Error> {
        let renewed = futures::stream::iter(renewals.iter().cloned()).map(async |renewal| {
            let change = renewal
                .change
                .map(|change| change.to_string())
                .unwrap_or_default();
            let mut invocation = self.on(&self.scripts.renew, &renewal.session);
            invocation
                .arg(self.ttl_ms())
                .arg(renewal.holder.unwrap_or_default())
                .arg(change);
            let exists: bool = self.run(self.bound(&mut invocation)).await?;
            Ok((!exists).then_some(renewal.session))
        });
        gone(renewed.buffer_unordered(CONCURRENT_RENEWALS).try_collect().await)
    }

    async fn missing(&self, ids: &[SessionId]) -> Result<Vec<SessionId>, Error> {
        let looked_up = futures::stream::iter(ids.iter().cloned())
            .map(async |id| Ok((!self.exists(&id).await?).then_some(id)));
        gone(
            looked_up
                .buffer_unordered(CONCURRENT_RENEWALS)
                .try_collect()
                .await,
        )
    }
}

impl RedisStore {
    /// Counts the session in for its user. Ended sessions are found when there seem to be too many.
    async fn admit(&self, session: &Session) -> Result<(), Error> {
        let key = user_key(&session.user);
        let limit = self.settings.max_sessions_per_user;
        if self.count_in(&key, &[session.id.as_str().to_owned()]).await? <= limit {
            return Ok(());
        }
        let due: Vec<String> = self.run(&self.scripts.users_due.key(&key)).await?;
        let (mut ended, mut live) = (Vec::new(), Vec::new());
        for id in due {
            match SessionId::parse(&id) {
                Ok(parsed) if self.exists(&parsed).await? => live.push(id),
                _ => ended.push(id),
            }
        }
        if !ended.is_empty() {
            let _: usize = self.command("ZREM", (&key, ended)).await?;
        }
        if self.count_in(&key, &live).await? <= limit {
            return Ok(());
        }
        self.delete(&session.id, &session.user).await?;
        Err(Error::Limit {
            what: "sessions of this user",
            limit,
        })
    }

    async fn count_in(&self, key: &str, ids: &[String]) -> Result<usize, Error> {
        self.run(self.scripts.users_count.key(key).arg(self.ttl_ms()).arg(ids))
            .await
    }
}

fn user_key(user: &UserId) -> String {
    keys::session::of_user(&URL_SAFE_NO_PAD.encode(Sha256::digest(user.as_str())))
}

fn gone(looked_up: Result<Vec<Option<SessionId>>, Error>) -> Result<Vec<SessionId>, Error> {
    Ok(looked_up?.into_iter().flatten().collect())
}
