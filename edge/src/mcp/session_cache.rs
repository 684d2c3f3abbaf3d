//! What this edge remembers of sessions, so that a warm request asks nobody.
//!
//! Bounded in size and age, and kept only while the link tells of changes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;
use telemetry::{Metrics, metrics::cache::CacheMetrics};

use super::sessions::ActiveSession;

pub struct SessionCache {
    sessions: Cache<Arc<str>, Arc<ActiveSession>>,
    age: Duration,
    /// Counts what was forgotten. A copy that was read before something was forgotten may be the old one.
    forgotten: AtomicU64,
    metrics: CacheMetrics,
}

/// A moment in the life of the cache.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Moment(u64);

impl SessionCache {
    pub fn new(size: u64, age: Duration, metrics: &Metrics) -> Self {
        let sessions: Cache<Arc<str>, Arc<ActiveSession>> =
            Cache::builder().max_capacity(size).time_to_live(age).build();
        let seen = sessions.clone();
        Self {
            metrics: CacheMetrics::new(metrics, "sessions", move || Some(seen.entry_count())),
            sessions,
            age,
            forgotten: AtomicU64::new(0),
        }
    }

    /// The session, if it is remembered as this user's.
    pub fn get(&self, session_id: &str, user_id: &str) -> Option<Arc<ActiveSession>> {
        let session = self
            .sessions
            .get(session_id)
            .filter(|session| &*session.user_id == user_id);
        self.metrics.asked(session.is_some());
        session
    }

    pub fn now(&self) -> Moment {
        Moment(self.forgotten.load(Ordering::Acquire))
    }

    /// Remembers a copy, unless something was forgotten since it was asked for.
    pub fn put(&self, session: &Arc<ActiveSession>, asked: Moment) {
        if self.now() == asked {
            self.sessions.insert(session.session_id.clone(), session.clone());
            // Forgotten just now: before or after the insertion, nobody knows.
            if self.now() != asked {
                self.sessions.invalidate(&session.session_id);
            }
        }
    }

    pub fn forget(&self, session_id: &str) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.sessions.invalidate(session_id);
    }

    /// Lets go of what is too old, for as long as it is polled. The cache does so by itself only when it is used: an idle
    /// edge would go on following sessions that nobody uses.
    pub async fn sweep(self: Arc<Self>) {
        let period = (self.age / 2).clamp(Duration::from_millis(100), Duration::from_secs(10));
        loop {
            tokio::time::sleep(period).await;
            self.sessions.run_pending_tasks();
        }
    }

    pub fn clear(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.sessions.invalidate_all();
    }
}
