//! The shared store: any number of replicas over one Redis.
//!
//! Each operation is one script on the session's three keys, which share a slot; edges and users have keys of their own.

mod edges;
mod reply;
mod scripts;

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use change_feed::ChangeId;
use everything_proto::{
    events::v1::{Change, TraceContext},
    session::v1::OpenCall,
};
use futures::{StreamExt, TryStreamExt};
use prost::Message;
use redis::{FromRedisValue, ScriptInvocation, ToRedisArgs};
use redis_store::{Commands, Redis, keys};
use sha2::{Digest, Sha256};

use self::{
    reply::{Described, PageReply},
    scripts::Scripts,
};
use super::{
    AnsweredRequest, CANCEL_MEMORY, Held, MAX_CANCELS, PAGE_BYTES, PAGE_ENTRIES, Renewal, Store,
    StoreSettings,
};
use crate::{
    CursorFacts, Error, NewEntry, NewPayload, Page, Position, Session, SessionId, SessionUpdate, StreamName,
    UserId,
};

/// Sessions renewed or looked up at a time, over the one connection.
const CONCURRENT_RENEWALS: usize = 128;

pub struct RedisStore {
    commands: Commands,
    settings: StoreSettings,
    scripts: Scripts,
}

impl RedisStore {
    pub fn new(redis: &Redis, settings: StoreSettings) -> Self {
        Self {
            commands: redis.commands(),
            settings,
            scripts: Scripts::new(),
        }
    }

    fn ttl_ms(&self) -> u64 {
        u64::try_from(self.settings.ttl.as_millis()).unwrap_or(u64::MAX)
    }

    /// A script on the keys of one session.
    fn on<'a>(&self, script: &'a redis::Script, id: &SessionId) -> ScriptInvocation<'a> {
        let id = id.as_str();
        let mut invocation = script.prepare_invoke();
        invocation
            .key(keys::session::owner(id))
            .key(keys::session::state(id))
            .key(keys::session::events(id));
        invocation
    }

    /// The same, with its first arguments: who asks, and the time to live.
    fn owned<'a>(&self, script: &'a redis::Script, id: &SessionId, user: &UserId) -> ScriptInvocation<'a> {
        let mut invocation = self.on(script, id);
        invocation.arg(user.as_str()).arg(self.ttl_ms());
        invocation
    }

    async fn run<T: FromRedisValue>(&self, invocation: &ScriptInvocation<'_>) -> Result<T, Error> {
        let mut commands = self.commands.clone();
        invocation.invoke_async(&mut commands).await.map_err(failed)
    }

    async fn exists(&self, id: &SessionId) -> Result<bool, Error> {
        let mut commands = self.commands.clone();
        redis::cmd("EXISTS")
            .arg(keys::session::owner(id.as_str()))
            .query_async(&mut commands)
            .await
            .map_err(failed)
    }

    async fn command<T: FromRedisValue>(&self, name: &str, arguments: impl ToRedisArgs) -> Result<T, Error> {
        let mut commands = self.commands.clone();
        redis::cmd(name)
            .arg(arguments)
            .query_async(&mut commands)
            .await
            .map_err(failed)
    }

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

#[async_trait]
impl Store for RedisStore {
    async fn create(&self, session: &Session) -> Result<(), Error> {
        let () = self
            .run(
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
        let updated: redis::Value = self.run(&invocation).await?;
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
        let deleted: bool = self.run(&self.owned(&self.scripts.delete, id, user)).await?;
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
            let exists: bool = self
                .run(
                    self.on(&self.scripts.renew, &renewal.session)
                        .arg(self.ttl_ms())
                        .arg(renewal.holder.unwrap_or_default())
                        .arg(change),
                )
                .await?;
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

    async fn append(
        &self,
        id: &SessionId,
        user: &UserId,
        stream: &StreamName,
        entries: &[NewEntry],
        trace: &TraceContext,
    ) -> Result<Vec<Position>, Error> {
        let settings = &self.settings;
        let mut invocation = self.owned(&self.scripts.append, id, user);
        invocation
            .arg(stream.as_str())
            .arg(u8::from(stream.is_standalone()))
            .arg(settings.log_max_entries)
            .arg(settings.log_max_bytes)
            .arg(settings.max_open_calls)
            .arg(settings.max_awaited)
            .arg(trace.encode_to_vec());
        for entry in entries {
            let (kind, data, edge) = match &entry.payload {
                NewPayload::Open(call) => ("o", call.encode_to_vec().into(), call.edge_id.as_str()),
                NewPayload::Message(json) => ("m", json.clone(), ""),
                NewPayload::End => ("e", Bytes::new(), ""),
            };
            let awaits = entry.awaits_answer.as_deref().unwrap_or_default();
            invocation
                .arg(kind)
                .arg(u8::from(entry.is_final))
                .arg(awaits)
                .arg(data.as_ref())
                .arg(edge);
            if !edge.is_empty() {
                // Noted before it is opened: a call that nobody would find could never be ended.
                self.call_opened(edge, id, stream).await?;
            }
        }
        let (status, ended, positions): (String, String, Vec<String>) = self.run(&invocation).await?;
        match status.as_str() {
            "ok" => {}
            "open" => return Err(Error::StreamOpen),
            "closed" => return Err(Error::StreamNotOpen),
            "calls" => {
                return Err(Error::Limit {
                    what: "open calls of this session",
                    limit: settings.max_open_calls,
                });
            }
            _ => return Err(Error::SessionNotFound),
        }
        if !ended.is_empty() {
            self.call_ended(&ended, id, stream).await;
        }
        positions
            .iter()
            .map(|position| reply::position(position))
            .collect()
    }

    async fn inspect(
        &self,
        id: &SessionId,
        user: &UserId,
        stream: &StreamName,
        cursor: Position,
    ) -> Result<CursorFacts, Error> {
        let facts: Option<(String, String, bool, String)> = self
            .run(
                self.owned(&self.scripts.inspect, id, user)
                    .arg(stream.as_str())
                    .arg(cursor.to_string()),
            )
            .await?;
        let (next_follows, last, at_final, trimmed) = facts.ok_or(Error::SessionNotFound)?;
        let optional = |text: &str| {
            if text.is_empty() {
                Ok(None)
            } else {
                reply::position(text).map(Some)
            }
        };
        Ok(CursorFacts {
            next_follows: optional(&next_follows)?,
            last: optional(&last)?,
            at_final,
            trimmed: reply::position(&trimmed)?,
        })
    }

    async fn read(&self, id: &SessionId, stream: &StreamName, after: Position) -> Result<Page, Error> {
        let page: Option<PageReply> = self
            .run(
                self.on(&self.scripts.read, id)
                    .arg(stream.as_str())
                    .arg(after.to_string())
                    .arg(PAGE_ENTRIES)
                    .arg(PAGE_BYTES),
            )
            .await?;
        reply::page(page.ok_or(Error::SessionNotFound)?)
    }

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

    async fn take(&self, id: &SessionId, holder: &str) -> Result<Option<Page>, Error> {
        let taken: redis::Value = self
            .run(
                self.on(&self.scripts.take, id)
                    .arg(holder)
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

    async fn claim(&self, id: &SessionId, holder: &str, stale: Duration) -> Result<bool, Error> {
        let stale = u64::try_from(stale.as_millis()).unwrap_or(u64::MAX);
        tri(self
            .run(self.on(&self.scripts.claim, id).arg(holder).arg(stale))
            .await?)
    }

    async fn answer(
        &self,
        id: &SessionId,
        user: &UserId,
        request_id: &str,
        response: &Bytes,
    ) -> Result<bool, Error> {
        tri(self
            .run(
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
            .run(
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

    async fn append_changes(
        &self,
        id: &SessionId,
        changes: &[(ChangeId, Change)],
        up_to: ChangeId,
    ) -> Result<usize, Error> {
        let mut invocation = self.on(&self.scripts.append_changes, id);
        invocation
            .arg(up_to.to_string())
            .arg(self.settings.log_max_entries)
            .arg(self.settings.log_max_bytes);
        for (change_id, change) in changes {
            let trace = change.trace.clone().unwrap_or_default();
            invocation
                .arg(change_id.to_string())
                .arg(change.encode_to_vec())
                .arg(trace.encode_to_vec());
        }
        let appended: i64 = self.run(&invocation).await?;
        usize::try_from(appended).map_err(|_| Error::SessionNotFound)
    }

    async fn renew_edge(&self, edge: &str, lease: Duration) -> Result<(), Error> {
        self.edge_renewed(edge, lease).await
    }

    async fn lose_edge(&self, edge: &str) -> Result<(), Error> {
        self.edge_lost(edge).await
    }

    async fn lost_edges(&self) -> Result<Vec<String>, Error> {
        self.edges_lost().await
    }

    async fn calls_of(&self, edge: &str) -> Result<Vec<(SessionId, StreamName)>, Error> {
        self.edge_calls(edge).await
    }

    async fn interrupt(
        &self,
        id: &SessionId,
        stream: &StreamName,
        edge: &str,
    ) -> Result<Option<(OpenCall, Position)>, Error> {
        let interrupted: Option<(Vec<u8>, String)> = self
            .run(
                self.on(&self.scripts.interrupt, id)
                    .arg(stream.as_str())
                    .arg(edge)
                    .arg(self.settings.log_max_entries)
                    .arg(self.settings.log_max_bytes),
            )
            .await?;
        self.call_ended(edge, id, stream).await;
        let Some((call, position)) = interrupted else {
            return Ok(None);
        };
        Ok(Some((
            reply::decode(call.as_slice())?,
            reply::position(&position)?,
        )))
    }

    async fn forget_edge(&self, edge: &str) -> Result<(), Error> {
        self.edge_forgotten(edge).await
    }

    async fn purge(&self) {
        // Redis expires keys by itself.
    }
}

fn user_key(user: &UserId) -> String {
    keys::session::of_user(&URL_SAFE_NO_PAD.encode(Sha256::digest(user.as_str())))
}

fn failed(error: redis::RedisError) -> Error {
    redis_store::Error::from(error).into()
}

fn gone(looked_up: Result<Vec<Option<SessionId>>, Error>) -> Result<Vec<SessionId>, Error> {
    Ok(looked_up?.into_iter().flatten().collect())
}

/// -1: no session; else whether it was done.
fn tri(done: i64) -> Result<bool, Error> {
    if done < 0 {
        Err(Error::SessionNotFound)
    } else {
        Ok(done > 0)
    }
}
