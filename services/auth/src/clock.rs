//! Time, as stored in records and shown to clients.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Where "now" comes from.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The machine's clock, which replicas are expected to keep in step.
    System,
    /// The runtime's clock, counted from a moment: follows paused time in tests.
    Runtime { origin: Instant, origin_unix: u64 },
}

impl Clock {
    /// A clock that follows the runtime's (possibly paused) time from now on.
    pub fn runtime() -> Self {
        Self::Runtime {
            origin: Instant::now(),
            origin_unix: unix_now(),
        }
    }

    /// Seconds since 1970.
    pub fn now(&self) -> u64 {
        match self {
            Self::System => unix_now(),
            Self::Runtime { origin, origin_unix } => origin_unix + origin.elapsed().as_secs(),
        }
    }

    /// Seconds since 1970 at which something that lives for `ttl` from now ends.
    pub fn after(&self, ttl: Duration) -> u64 {
        self.now().saturating_add(ttl.as_secs())
    }
}

fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
