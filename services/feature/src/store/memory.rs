use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::{Error, Limits, Refusal, Store, Stored};
use crate::{call::OwnerKey, extras::Extra};

/// Owners whose extras are kept; those that expire first make room.
const MAX_SWITCHED: usize = 10_000;

/// Keeps resources in this process.
pub struct MemoryStore {
    limits: Limits,
    kept: Mutex<Kept>,
    switched: Mutex<HashMap<OwnerKey, Switched>>,
}

/// What an owner has switched on, and until when.
struct Switched {
    extras: HashSet<Extra>,
    expiry: Instant,
}

#[derive(Default)]
struct Kept {
    by_owner: HashMap<OwnerKey, VecDeque<Item>>,
    /// Owners in the order of their resources' expiry. Each owner's resources expire in the same order.
    expiries: VecDeque<(Instant, OwnerKey)>,
    total_bytes: usize,
}

struct Item {
    stored: Stored,
    bytes: Bytes,
}

impl MemoryStore {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            kept: Mutex::default(),
            switched: Mutex::default(),
        }
    }

    fn switched(&self) -> MutexGuard<'_, HashMap<OwnerKey, Switched>> {
        self.switched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept, without what has expired.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while kept.expiries.front().is_some_and(|(expiry, _)| *expiry <= now) {
            kept.drop_oldest();
        }
        kept
    }
}

impl Kept {
    fn drop_oldest(&mut self) {
        let Some((_, owner)) = self.expiries.pop_front() else {
            return;
        };
        let Some(items) = self.by_owner.get_mut(&owner) else {
            return;
        };
        if let Some(item) = items.pop_front() {
            self.total_bytes -= item.bytes.len();
        }
        if items.is_empty() {
            self.by_owner.remove(&owner);
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    async fn put(
        &self,
        owner: &OwnerKey,
        stored: &Stored,
        bytes: Bytes,
    ) -> Result<Result<(), Refusal>, Error> {
        let Limits {
            ttl,
            count,
            bytes: limit_bytes,
            total_bytes,
        } = self.limits;
        let mut kept = self.kept();
        if let Some(items) = kept.by_owner.get(owner) {
            if items.len() >= count {
                return Ok(Err(Refusal::TooMany { limit: count }));
            }
            let held: usize = items.iter().map(|item| item.bytes.len()).sum();
            if held + bytes.len() > limit_bytes {
                return Ok(Err(Refusal::TooLarge { limit_bytes }));
            }
        } else if bytes.len() > limit_bytes {
            return Ok(Err(Refusal::TooLarge { limit_bytes }));
        }
        while kept.total_bytes + bytes.len() > total_bytes && !kept.expiries.is_empty() {
            kept.drop_oldest();
        }
        kept.total_bytes += bytes.len();
        kept.expiries.push_back((Instant::now() + ttl, owner.clone()));
        let item = Item {
            stored: stored.clone(),
            bytes,
        };
        kept.by_owner.entry(owner.clone()).or_default().push_back(item);
        Ok(Ok(()))
    }

    async fn list(&self, owner: &OwnerKey) -> Result<Vec<Stored>, Error> {
        let kept = self.kept();
        Ok(kept
            .by_owner
            .get(owner)
            .into_iter()
            .flatten()
            .map(|item| item.stored.clone())
            .collect())
    }

    async fn get(&self, owner: &OwnerKey, id: &str) -> Result<Option<(Stored, Bytes)>, Error> {
        let kept = self.kept();
        let mut items = kept.by_owner.get(owner).into_iter().flatten();
        Ok(items
            .find(|item| item.stored.id == id)
            .map(|item| (item.stored.clone(), item.bytes.clone())))
    }

    async fn extras(&self, owner: &OwnerKey) -> Result<Vec<Extra>, Error> {
        let switched = self.switched();
        let alive = switched.get(owner).filter(|own| own.expiry > Instant::now());
        Ok(alive
            .map(|own| own.extras.iter().copied().collect())
            .unwrap_or_default())
    }

    async fn switch_extra(&self, owner: &OwnerKey, extra: Extra, on: bool) -> Result<bool, Error> {
        let now = Instant::now();
        let mut switched = self.switched();
        if switched.len() >= MAX_SWITCHED {
            switched.retain(|_, own| own.expiry > now);
        }
        while switched.len() >= MAX_SWITCHED
            && let Some(first) = switched.iter().min_by_key(|(_, own)| own.expiry)
        {
            let first = first.0.clone();
            switched.remove(&first);
        }
        let mut extras = switched
            .remove(owner)
            .filter(|own| own.expiry > now)
            .map(|own| own.extras)
            .unwrap_or_default();
        let changed = if on {
            extras.insert(extra)
        } else {
            extras.remove(&extra)
        };
        if !extras.is_empty() {
            let expiry = now + self.limits.ttl;
            switched.insert(owner.clone(), Switched { extras, expiry });
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        call::Caller,
        store::contract::{self, stored},
    };

    fn store(limits: Limits) -> MemoryStore {
        MemoryStore::new(limits)
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::holds(&store(contract::limits())).await;
    }

    #[tokio::test(start_paused = true)]
    async fn resources_expire_in_turn() {
        let store = store(contract::limits());
        let owner = contract::owner("a");
        store
            .put(&owner, &stored("1", 1), Bytes::from_static(b"x"))
            .await
            .unwrap()
            .unwrap();
        tokio::time::advance(contract::limits().ttl - Duration::from_secs(1)).await;
        store
            .put(&owner, &stored("2", 1), Bytes::from_static(b"y"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(store.list(&owner).await.unwrap().len(), 2);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(store.list(&owner).await.unwrap(), [stored("2", 1)]);
        assert_eq!(store.get(&owner, "1").await.unwrap(), None);
        tokio::time::advance(contract::limits().ttl).await;
        assert_eq!(store.list(&owner).await.unwrap(), []);
        assert_eq!(store.kept().total_bytes, 0);
        assert!(store.kept().by_owner.is_empty());
    }

    #[tokio::test]
    async fn the_oldest_of_all_make_room() {
        let store = store(Limits {
            total_bytes: 25,
            ..contract::limits()
        });
        for name in ["a", "b", "c"] {
            let caller = Caller {
                session_key: name.to_owned(),
                ..Caller::default()
            };
            let bytes = Bytes::from_static(b"0123456789");
            store
                .put(&caller.owner(), &stored(name, 10), bytes)
                .await
                .unwrap()
                .unwrap();
        }
        assert_eq!(store.list(&contract::owner("a")).await.unwrap(), []);
        assert_eq!(store.list(&contract::owner("c")).await.unwrap().len(), 1);
        assert_eq!(store.kept().total_bytes, 20);
    }
}
