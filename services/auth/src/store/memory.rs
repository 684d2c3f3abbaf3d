//! The embedded store: one process, gone when it ends.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::{Claim, Key, Revocation, Revocations, Space, Store, StoreError};

/// Announcements that a slow watcher may fall behind before it has to watch anew.
const WATCH_BACKLOG: usize = 1024;

/// Keeps everything in one map; expired entries leave with the next write.
pub struct MemoryStore {
    inner: Mutex<Inner>,
    announcements: broadcast::Sender<Revocation>,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Key, Entry>,
    /// By space, and by the end of their time, soonest first.
    deadlines: HashMap<Space, BTreeSet<(Instant, String)>>,
}

struct Entry {
    value: Value,
    expires: Instant,
}

enum Value {
    Bytes(Bytes),
    Counter(u64),
}

struct MemoryRevocations(broadcast::Receiver<Revocation>);

impl MemoryStore {
    pub fn new() -> Self {
        Self {
            inner: Mutex::default(),
            announcements: broadcast::Sender::new(WATCH_BACKLOG),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every critical section leaves the maps consistent, so a poisoned lock is as good as any.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a full space makes room by forgetting the entry that would end soonest. So with what strangers create, or
/// a flood of it would keep everybody else out. Not so with what protects somebody by being there.
fn makes_room(space: Space) -> bool {
    match space {
        Space::Client | Space::Transaction | Space::Decision | Space::Login | Space::Pushed => true,
        Space::FakeCode
        | Space::FakeToken
        | Space::Limit
        | Space::Document
        | Space::Consent
        | Space::Browser => true,
        Space::Code | Space::Spent | Space::Access | Space::Refresh | Space::Grant | Space::Replay => false,
    }
}

/// How many live entries a space may hold. An entry costs about half a KiB.
fn capacity(space: Space) -> usize {
    match space {
        Space::Client => 50_000,
        Space::Transaction | Space::Decision | Space::Login | Space::Pushed => 50_000,
        Space::Code | Space::FakeCode | Space::FakeToken => 50_000,
        Space::Access | Space::Refresh | Space::Grant | Space::Spent => 500_000,
        Space::Consent | Space::Browser | Space::Replay | Space::Limit => 100_000,
        Space::Document => 5_000,
    }
}

impl Inner {
    fn live(&self, key: &Key) -> Option<&Entry> {
        self.entries
            .get(key)
            .filter(|entry| entry.expires > Instant::now())
    }

    fn sweep(&mut self) {
        let now = Instant::now();
        for (space, deadlines) in &mut self.deadlines {
            while deadlines.first().is_some_and(|(expires, _)| *expires <= now)
                && let Some((_, id)) = deadlines.pop_first()
            {
                self.entries.remove(&Key { space: *space, id });
            }
        }
    }

    fn insert(&mut self, key: &Key, value: Value, ttl: Duration) -> Result<(), StoreError> {
        self.sweep();
        let deadlines = self.deadlines.entry(key.space).or_default();
        if deadlines.len() >= capacity(key.space) && !self.entries.contains_key(key) {
            if !makes_room(key.space) {
                return Err(StoreError::Full);
            }
            if let Some((_, id)) = deadlines.pop_first() {
                self.entries.remove(&Key { space: key.space, id });
            }
        }
        let expires = Instant::now() + ttl;
        if let Some(old) = self.entries.insert(key.clone(), Entry { value, expires }) {
            deadlines.remove(&(old.expires, key.id.clone()));
        }
        deadlines.insert((expires, key.id.clone()));
        Ok(())
    }

    fn remove(&mut self, key: &Key) -> Option<Entry> {
        self.sweep();
        let entry = self.entries.remove(key)?;
        if let Some(deadlines) = self.deadlines.get_mut(&key.space) {
            deadlines.remove(&(entry.expires, key.id.clone()));
        }
        Some(entry)
    }
}

impl Entry {
    fn bytes(&self) -> Bytes {
        match &self.value {
            Value::Bytes(bytes) => bytes.clone(),
            Value::Counter(count) => Bytes::from(count.to_string()),
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn put(&self, key: &Key, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        self.lock().insert(key, Value::Bytes(value), ttl)
    }

    async fn claim(&self, key: &Key, value: Bytes, ttl: Duration) -> Result<Claim, StoreError> {
        let mut inner = self.lock();
        if let Some(entry) = inner.live(key) {
            return Ok(Claim::Lost(entry.bytes()));
        }
        inner.insert(key, Value::Bytes(value), ttl)?;
        Ok(Claim::Won)
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        Ok(self.lock().live(key).map(Entry::bytes))
    }

    async fn take(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        Ok(self.lock().remove(key).map(|entry| entry.bytes()))
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        Ok(self.lock().remove(key).is_some())
    }

    async fn extend(&self, key: &Key, ttl: Duration) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        inner.sweep();
        let wanted = Instant::now() + ttl;
        let Some(entry) = inner.entries.get_mut(key) else {
            return Ok(false);
        };
        let old = entry.expires;
        if wanted > old {
            entry.expires = wanted;
            let deadlines = inner.deadlines.entry(key.space).or_default();
            deadlines.remove(&(old, key.id.clone()));
            deadlines.insert((wanted, key.id.clone()));
        }
        Ok(true)
    }

    async fn count(&self, key: &Key, window: Duration) -> Result<(u64, Duration), StoreError> {
        let mut inner = self.lock();
        inner.sweep();
        if let Some(entry) = inner.entries.get_mut(key) {
            let count = match &mut entry.value {
                Value::Counter(count) => {
                    *count = count.saturating_add(1);
                    *count
                }
                Value::Bytes(_) => return Err(StoreError::Unavailable("not a counter".to_owned())),
            };
            return Ok((count, entry.expires.saturating_duration_since(Instant::now())));
        }
        inner.insert(key, Value::Counter(1), window)?;
        Ok((1, window))
    }

    async fn announce(&self, revocation: Revocation) -> Result<(), StoreError> {
        // Nobody may be watching.
        let _ = self.announcements.send(revocation);
        Ok(())
    }

    async fn revocations(&self) -> Result<Box<dyn Revocations>, StoreError> {
        Ok(Box::new(MemoryRevocations(self.announcements.subscribe())))
    }
}

#[async_trait]
impl Revocations for MemoryRevocations {
    async fn next(&mut self) -> Option<Revocation> {
        self.0.recv().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract;

    contract::suite!(async || (std::sync::Arc::new(MemoryStore::new()), ()));

    const MINUTE: Duration = Duration::from_secs(60);

    async fn fill(store: &MemoryStore, space: Space) {
        for number in 0..capacity(space) {
            store
                .put(&Key::new(space, number.to_string()), Bytes::new(), MINUTE)
                .await
                .unwrap();
        }
    }

    #[tokio::test]
    async fn a_full_space_of_tokens_refuses_new_ones_and_leaves_the_others_alone() {
        let store = MemoryStore::new();
        fill(&store, Space::Replay).await;
        let one_more = Key::new(Space::Replay, "more");
        assert!(matches!(
            store.put(&one_more, Bytes::new(), MINUTE).await,
            Err(StoreError::Full)
        ));
        store
            .put(
                &Key::new(Space::Replay, "0"),
                Bytes::from_static(b"again"),
                MINUTE,
            )
            .await
            .unwrap();
        store
            .put(&Key::new(Space::Access, "token"), Bytes::new(), MINUTE)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_full_space_of_strangers_forgets_what_ends_soonest() {
        let store = MemoryStore::new();
        let used = Key::new(Space::Client, "used");
        store.put(&used, Bytes::new(), 2 * MINUTE).await.unwrap();
        fill(&store, Space::Client).await;
        store
            .put(&Key::new(Space::Client, "more"), Bytes::new(), MINUTE)
            .await
            .unwrap();
        assert_eq!(store.lock().entries.len(), capacity(Space::Client));
        assert!(store.get(&used).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn expired_entries_make_room() {
        let store = MemoryStore::new();
        fill(&store, Space::Replay).await;
        tokio::time::advance(2 * MINUTE).await;
        store
            .put(&Key::new(Space::Replay, "more"), Bytes::new(), MINUTE)
            .await
            .unwrap();
        assert_eq!(store.lock().entries.len(), 1);
    }
}
