//! How long sessions last. The replica that made a session measures it, so that each is measured once; a session ends
//! unmeasured with its replica.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use telemetry::{
    Metrics,
    conventions::hashed,
    metrics::{mcp::McpServerMetrics, server},
};
use tokio::time::Instant;

use crate::{Session, SessionId, sync::lock};

/// Beyond, sessions are served and not measured.
const MAX_SESSIONS: usize = 1_000_000;

pub(crate) struct Lifetimes {
    live: Mutex<HashMap<SessionId, Life>>,
    /// A session may have expired when it was not looked at for this long.
    ttl: Duration,
    metrics: McpServerMetrics,
}

struct Life {
    began: Instant,
    looked_at: Instant,
    version: String,
}

impl Lifetimes {
    pub(crate) fn new(metrics: &Metrics, ttl: Duration) -> Arc<Self> {
        let lifetimes = Arc::new(Self {
            live: Mutex::default(),
            ttl,
            metrics: McpServerMetrics::new(metrics),
        });
        let seen = Arc::downgrade(&lifetimes);
        server::sessions_live(metrics, move || Some(lock(&seen.upgrade()?.live).len() as u64));
        lifetimes
    }

    pub(crate) fn began(&self, session: &Session) {
        let now = Instant::now();
        let life = Life {
            began: now,
            looked_at: now,
            version: session.protocol_version.clone(),
        };
        let mut live = lock(&self.live);
        if live.len() < MAX_SESSIONS {
            live.insert(session.id.clone(), life);
        }
    }

    /// In the 2024-11-05 transport a session begins before its revision is known.
    pub(crate) fn negotiated(&self, session: &Session) {
        if let Some(life) = lock(&self.live).get_mut(&session.id) {
            life.version.clone_from(&session.protocol_version);
        }
    }

    /// Its client ended it, here or through another replica, which has logged that.
    pub(crate) fn deleted(&self, id: &SessionId) {
        self.end(id);
    }

    /// It is no longer there.
    pub(crate) fn expired(&self, id: &SessionId) {
        if let Some(lasted) = self.end(id) {
            let lasted_s = lasted.as_secs();
            tracing::info!(session = hashed(id.as_str()), lasted_s, "session expired");
        }
    }

    /// Sessions that may have expired: they are to be looked up now.
    pub(crate) fn due(&self) -> Vec<SessionId> {
        let now = Instant::now();
        let mut live = lock(&self.live);
        let due = live.iter_mut().filter_map(|(id, life)| {
            (now.duration_since(life.looked_at) >= self.ttl).then(|| {
                life.looked_at = now;
                id.clone()
            })
        });
        due.collect()
    }

    fn end(&self, id: &SessionId) -> Option<Duration> {
        let life = lock(&self.live).remove(id)?;
        let lasted = life.began.elapsed();
        self.metrics.session_ended(&life.version, lasted);
        Some(lasted)
    }
}
