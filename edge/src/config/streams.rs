use std::time::Duration;

use clap::Args;

use super::BadSettings;
use crate::mcp::{CallLimits, StreamLimits};

/// How long streams last, and how much clients may have under way.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct StreamArgs {
    /// How long a client whose connection the server ended is to wait before it comes back, milliseconds (`retry`).
    #[arg(long, env = "SSE_RETRY_MS", default_value = "500")]
    pub sse_retry_ms: String,
    /// How long one connection carries an event stream before the client has to come back for the rest, seconds; only for
    /// clients of 2025-11-25, who know to do so. 0: as long as the stream lasts.
    #[arg(long, env = "SSE_MAX_AGE_SECS", default_value = "0")]
    pub sse_max_age_secs: String,
    /// Event streams of one session that are open at once. More are answered 429.
    #[arg(long, env = "MAX_STREAMS_PER_SESSION", default_value = "64")]
    pub max_streams_per_session: String,
    /// The same of one user.
    #[arg(long, env = "MAX_STREAMS_PER_USER", default_value = "10000")]
    pub max_streams_per_user: String,
    /// Requests of one session that are worked on at once, also after their clients have gone. More are answered 429.
    #[arg(long, env = "MAX_CALLS_PER_SESSION", default_value = "128")]
    pub max_calls_per_session: String,
    /// The same of one user.
    #[arg(long, env = "MAX_CALLS_PER_USER", default_value = "4096")]
    pub max_calls_per_user: String,
    /// The same of all. More are answered 503.
    #[arg(long, env = "MAX_CALLS", default_value = "10000")]
    pub max_calls: String,
}

/// Checked.
pub(super) struct Streams {
    pub(super) retry_ms: u64,
    pub(super) max_age: Option<Duration>,
    pub(super) streams: StreamLimits,
    pub(super) calls: CallLimits,
}

impl Default for StreamArgs {
    fn default() -> Self {
        Self {
            sse_retry_ms: "500".to_owned(),
            sse_max_age_secs: "0".to_owned(),
            max_streams_per_session: "64".to_owned(),
            max_streams_per_user: "10000".to_owned(),
            max_calls_per_session: "128".to_owned(),
            max_calls_per_user: "4096".to_owned(),
            max_calls: "10000".to_owned(),
        }
    }
}

impl StreamArgs {
    pub(super) fn check(&self, bad: &mut BadSettings) -> Streams {
        let forever = self.sse_max_age_secs.trim() == "0";
        Streams {
            retry_ms: bad
                .take("SSE_RETRY_MS", "a number of milliseconds", &self.sse_retry_ms)
                .unwrap_or_default(),
            max_age: (!forever).then(|| bad.seconds("SSE_MAX_AGE_SECS", &self.sse_max_age_secs, 86_400.0)),
            streams: StreamLimits {
                per_session: bad.positive("MAX_STREAMS_PER_SESSION", &self.max_streams_per_session),
                per_user: bad.positive("MAX_STREAMS_PER_USER", &self.max_streams_per_user),
            },
            calls: CallLimits {
                per_session: bad.positive("MAX_CALLS_PER_SESSION", &self.max_calls_per_session),
                per_user: bad.positive("MAX_CALLS_PER_USER", &self.max_calls_per_user),
                all: bad.positive("MAX_CALLS", &self.max_calls),
            },
        }
    }
}
