//! From a session id and a user to the session, or to the one answer that says nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use everything_proto::{
    feature::v1::{ClientCapabilities, LogLevel},
    session::v1::{GetRequest, Session, session_service_client::SessionServiceClient},
};
use serde_json::value::RawValue;
use serving::GrpcChannel;
use tonic::{Code, Status};

use super::{
    link::{FollowGuard, Link},
    session_cache::SessionCache,
};
use crate::{Principal, error::Fault, revisions, revisions::WithSessions};

/// How long to wait for the link to confirm that it follows a session. Without it the session is served uncached.
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(2);

/// A session as its requests need it.
pub struct ActiveSession {
    pub session_id: Arc<str>,
    pub user_id: Arc<str>,
    /// None until a client of the 2024-11-05 transport has sent `initialize`.
    pub revision: Option<&'static dyn WithSessions>,
    pub capabilities: ClientCapabilities,
    pub log_level: LogLevel,
    /// What features are told instead of the session id.
    pub session_key: String,
    /// How often its uses are passed on.
    pub touch_interval: Duration,
    /// How long it lives on after a use was passed on, whatever happens elsewhere.
    lives_on: Duration,
    seen_at: Instant,
    /// Milliseconds after `seen_at`.
    touched_at: AtomicU64,
    _follow: Option<FollowGuard>,
}

/// Why there is no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSession {
    /// Unknown, expired, deleted or somebody else's; nothing tells these apart.
    NotFound,
    Fault(Fault),
}

#[derive(Clone)]
pub struct Sessions {
    client: SessionServiceClient<GrpcChannel>,
    cache: Arc<SessionCache>,
    link: Link,
}

impl Sessions {
    pub fn new(client: SessionServiceClient<GrpcChannel>, cache: Arc<SessionCache>, link: Link) -> Self {
        Self { client, cache, link }
    }

    /// The session, if it is alive and the principal's. Renews its time to live.
    pub async fn get(
        &self,
        session_id: &str,
        principal: &Principal,
    ) -> Result<Arc<ActiveSession>, NoSession> {
        if self.link.is_up()
            && let Some(session) = self.cache.get(session_id, &principal.user_id)
            && session.is_surely_alive()
        {
            self.touch(&session);
            return Ok(session);
        }
        // The session service says whose it is before anything else happens in its name.
        let session = self.read(session_id, principal).await?;
        if !self.link.is_up() {
            return Ok(Arc::new(ActiveSession::new(session, None)));
        }
        let id: Arc<str> = session_id.into();
        let following = self.link.follow(&id, &principal.user_id);
        let Ok(Ok(follow)) = tokio::time::timeout(FOLLOW_TIMEOUT, following).await else {
            return Ok(Arc::new(ActiveSession::new(session, None)));
        };
        // Read again now that changes are heard of: only this copy may be kept.
        let asked = self.cache.now();
        let session = self.read(session_id, principal).await?;
        let session = Arc::new(ActiveSession::new(session, Some(follow)));
        self.cache.put(&session, asked);
        Ok(session)
    }

    /// The session is in use. Cheap: few uses are passed on.
    pub fn touch(&self, session: &ActiveSession) {
        if session.is_due_for_touch() {
            self.link.touch(&session.session_id);
        }
    }

    /// The session has changed through this edge.
    pub fn forget(&self, session_id: &str) {
        self.cache.forget(session_id);
    }

    async fn read(&self, session_id: &str, principal: &Principal) -> Result<Session, NoSession> {
        let request = GetRequest {
            session_id: session_id.to_owned(),
            user_id: principal.user_id.as_ref().to_owned(),
        };
        let response = self.client.clone().get(request).await;
        let response = response.map_err(|status| NoSession::from_status(&status))?;
        response
            .into_inner()
            .session
            .ok_or(NoSession::Fault(Fault::Internal))
    }
}

impl ActiveSession {
    pub fn new(session: Session, follow: Option<FollowGuard>) -> Self {
        let log_level = session.log_level();
        let revision = revisions::by_version(&session.protocol_version);
        let declared: Option<&RawValue> = serde_json::from_slice(&session.client_capabilities_json).ok();
        let capabilities = match (revision, declared) {
            (Some(revision), Some(declared)) => revision.client_capabilities(declared),
            _ => ClientCapabilities::default(),
        };
        Self {
            session_id: session.session_id.into(),
            user_id: session.user_id.into(),
            revision,
            capabilities,
            log_level: if log_level == LogLevel::Unspecified {
                LogLevel::Info
            } else {
                log_level
            },
            session_key: session.session_key,
            // Often enough that a session in use never expires, seldom enough to cost nothing.
            touch_interval: Duration::from_millis((session.ttl_ms / 4).clamp(50, 5_000)),
            // The other half is for what is late: touches go out in batches.
            lives_on: Duration::from_millis(session.ttl_ms / 2),
            seen_at: Instant::now(),
            touched_at: AtomicU64::new(0),
            _follow: follow,
        }
    }

    /// Milliseconds since the session was first seen here.
    fn age_ms(&self) -> u64 {
        u64::try_from(self.seen_at.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether it was used here so recently that it cannot have expired. That it was ended, the link tells.
    fn is_surely_alive(&self) -> bool {
        let unused = self
            .age_ms()
            .saturating_sub(self.touched_at.load(Ordering::Relaxed));
        u128::from(unused) < self.lives_on.as_millis()
    }

    fn is_due_for_touch(&self) -> bool {
        let now = self.age_ms();
        let before = self.touched_at.load(Ordering::Relaxed);
        let due = u128::from(now.saturating_sub(before)) >= self.touch_interval.as_millis();
        due && self
            .touched_at
            .compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}

impl NoSession {
    pub fn from_status(status: &Status) -> Self {
        match status.code() {
            // An id that cannot be one is as unknown as any other.
            Code::NotFound | Code::InvalidArgument => Self::NotFound,
            _ => Self::Fault(Fault::from_status(status)),
        }
    }
}
