//! What is remembered of active tokens.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use moka::future::Cache;
use sha2::{Digest, Sha256};
use telemetry::{Metrics, metrics::cache::CacheMetrics};

use super::{Denied, Principal};

/// Revoked grants that are remembered one by one. Beyond, everything is forgotten instead.
const MAX_REVOKED_GRANTS: usize = 10_000;

/// SHA-256 of a token; the token itself is not kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

/// What is known of an active token.
#[derive(Clone, Debug)]
pub struct Entry {
    pub principal: Principal,
    pub grant_id: String,
    /// Unix seconds.
    pub expires_at: i64,
}

/// Bounded in size and age. Closed until revocations are heard of.
pub struct TokenCache {
    entries: Cache<TokenHash, Entry>,
    /// Grants never come back to life, so their tokens are not remembered again either.
    revoked_grants: Mutex<HashSet<String>>,
    open: AtomicBool,
    /// Counts what made entries stale, so that an answer from before is not kept after.
    epoch: AtomicU64,
    metrics: CacheMetrics,
}

impl TokenHash {
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// From lower- or upper-case hexadecimal.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(hash))
    }
}

impl Entry {
    pub fn is_expired(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        u64::try_from(self.expires_at).map_or(true, |expires_at| expires_at <= now)
    }
}

impl TokenCache {
    pub fn new(size: u64, age: Duration, metrics: &Metrics) -> Self {
        let entries: Cache<TokenHash, Entry> = Cache::builder().max_capacity(size).time_to_live(age).build();
        let seen = entries.clone();
        Self {
            metrics: CacheMetrics::new(metrics, "tokens", move || Some(seen.entry_count())),
            entries,
            revoked_grants: Mutex::default(),
            open: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
        }
    }

    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }

    /// What is known of the token, or what `load` says, which runs once for callers that come together. Only active
    /// tokens are remembered.
    pub async fn get_or_load<F>(&self, hash: TokenHash, load: impl FnOnce() -> F) -> Result<Entry, Denied>
    where
        F: Future<Output = Result<Entry, Denied>>,
    {
        if !self.is_open() {
            self.metrics.asked(false);
            return load().await;
        }
        if let Some(entry) = self.entries.get(&hash).await {
            if !entry.is_expired(SystemTime::now()) && !self.is_revoked(&entry.grant_id) {
                self.metrics.asked(true);
                return Ok(entry);
            }
            self.entries.invalidate(&hash).await;
        }
        self.metrics.asked(false);
        let epoch = self.epoch.load(Ordering::SeqCst);
        let loaded = self.entries.try_get_with(hash, load()).await;
        // A revocation that came meanwhile may have missed the entry.
        if self.epoch.load(Ordering::SeqCst) != epoch || !self.is_open() {
            self.entries.invalidate(&hash).await;
        }
        loaded.map_err(|denied: Arc<Denied>| Denied::clone(&denied))
    }

    /// Revocations are heard of from now on.
    pub fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    /// Revocations may be missed from now on.
    pub fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.entries.invalidate_all();
    }

    pub async fn revoke_token(&self, hash: TokenHash) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.entries.invalidate(&hash).await;
    }

    pub fn revoke_grant(&self, grant_id: String) {
        let mut revoked = self.revoked_grants.lock().unwrap_or_else(PoisonError::into_inner);
        if revoked.len() >= MAX_REVOKED_GRANTS {
            revoked.clear();
            self.entries.invalidate_all();
        }
        revoked.insert(grant_id);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    fn is_revoked(&self, grant_id: &str) -> bool {
        self.revoked_grants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(grant_id)
    }
}
