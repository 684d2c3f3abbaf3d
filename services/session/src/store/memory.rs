//! The embedded store: one process, nothing kept.

mod answers;
mod edges;
mod event_log;
mod record;
mod sessions;
mod standalone;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use tokio::time::Instant;

use self::record::Record;
use super::{Store, StoreSettings};
use crate::{Error, SessionId, StreamName, UserId, sync::lock};

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
