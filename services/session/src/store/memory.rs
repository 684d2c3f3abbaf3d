//! The embedded store: one process, nothing kept.

mod record;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::Bytes;
use change_feed::ChangeId;
use everything_proto::{
    events::v1::{Change, TraceContext},
    session::v1::OpenCall,
};
use tokio::time::Instant;

use self::record::Record;
use super::{AnsweredRequest, Held, Renewal, Store, StoreSettings};
use crate::{
    CursorFacts, Error, NewEntry, NewPayload, Page, Position, Session, SessionId, SessionUpdate, StreamName,
    UserId, sync::lock,
};

pub struct MemoryStore {
    settings: StoreSettings,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    sessions: HashMap<SessionId, Record>,
    users: HashMap<UserId, HashSet<SessionId>>,
    edges: HashMap<String, Edge>,
}

struct Edge {
    lease_ends: Instant,
    calls: BTreeSet<(SessionId, StreamName)>,
}

impl MemoryStore {
    pub fn new(settings: StoreSettings) -> Self {
        Self {
            settings,
            inner: Mutex::default(),
        }
    }
}

impl Inner {
    /// A live session.
    fn record(&mut self, id: &SessionId) -> Result<&mut Record, Error> {
        match self.sessions.get_mut(id) {
            Some(record) if record.expires > Instant::now() => Ok(record),
            _ => Err(Error::SessionNotFound),
        }
    }

    /// The user's own session, renewed.
    fn owned(&mut self, id: &SessionId, user: &UserId, ttl: Duration) -> Result<&mut Record, Error> {
        let record = self.record(id)?;
        if record.session.user != *user {
            return Err(Error::SessionNotFound);
        }
        record.expires = Instant::now() + ttl;
        Ok(record)
    }

    fn remove(&mut self, id: &SessionId) {
        let Some(record) = self.sessions.remove(id) else {
            return;
        };
        let user = &record.session.user;
        if let Some(sessions) = self.users.get_mut(user) {
            sessions.remove(id);
            if sessions.is_empty() {
                self.users.remove(user);
            }
        }
    }

    fn edge(&mut self, edge: &str, lease: Duration) -> &mut Edge {
        self.edges.entry(edge.to_owned()).or_insert_with(|| Edge {
            lease_ends: Instant::now() + lease,
            calls: BTreeSet::new(),
        })
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| {
        u64::try_from(elapsed.as_millis()).unwrap_or_default()
    })
}

#[async_trait]
impl Store for MemoryStore {
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
                Ok(record) => record.renew(renewal, self.settings.ttl),
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

    async fn append(
        &self,
        id: &SessionId,
        user: &UserId,
        stream: &StreamName,
        entries: &[NewEntry],
        trace: &TraceContext,
    ) -> Result<Vec<Position>, Error> {
        let mut inner = lock(&self.inner);
        let record = inner.owned(id, user, self.settings.ttl)?;
        record.admit(stream, entries, &self.settings)?;
        let edge_before = record.calls.get(stream).map(|call| call.edge_id.clone());
        let positions: Vec<_> = entries
            .iter()
            .map(|entry| record.append(stream, entry, trace, now_ms(), &self.settings))
            .collect();
        let call = (id.clone(), stream.clone());
        for entry in entries {
            if let NewPayload::Open(open) = &entry.payload {
                // An edge that never connected is given one time to live to do so.
                inner
                    .edge(&open.edge_id, self.settings.ttl)
                    .calls
                    .insert(call.clone());
            }
        }
        if entries.iter().any(|entry| entry.is_final) {
            for edge in edge_before.iter() {
                if let Some(edge) = inner.edges.get_mut(edge) {
                    edge.calls.remove(&call);
                }
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

    async fn take(&self, id: &SessionId, holder: &str) -> Result<Option<Page>, Error> {
        Ok(lock(&self.inner).record(id)?.take(holder))
    }

    async fn release(&self, id: &SessionId, holder: &str, delivered: Position) -> Result<bool, Error> {
        Ok(lock(&self.inner).record(id)?.release(holder, delivered))
    }

    async fn claim(&self, id: &SessionId, holder: &str, stale: Duration) -> Result<bool, Error> {
        Ok(lock(&self.inner).record(id)?.claim(holder, stale))
    }

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

    async fn purge(&self) {
        let now = Instant::now();
        let mut inner = lock(&self.inner);
        let expired: Vec<_> = inner
            .sessions
            .iter()
            .filter(|(_, record)| record.expires <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in expired {
            inner.remove(&id);
        }
        let Inner { sessions, edges, .. } = &mut *inner;
        for edge in edges.values_mut() {
            edge.calls.retain(|(id, _)| sessions.contains_key(id));
        }
    }
}
