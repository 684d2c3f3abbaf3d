use std::sync::{Arc, OnceLock};

use telemetry::conventions::hashed;

/// What is learned of a request on its way, for its log line. Clones are the same one; the first word counts.
#[derive(Clone, Debug, Default)]
pub struct Facts(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    user: OnceLock<String>,
    session: OnceLock<String>,
    mcp_method: OnceLock<String>,
}

/// Longest method that is logged, characters. It is the client's word.
const MAX_METHOD: usize = 64;

impl Facts {
    /// Those of a request; of one that did not pass the layer, some that nobody reads.
    pub fn of(extensions: &http::Extensions) -> Self {
        extensions.get().cloned().unwrap_or_default()
    }

    pub fn user(&self, user_id: &str) {
        self.0.user.get_or_init(|| hashed(user_id));
    }

    pub fn session(&self, session_id: &str) {
        self.0.session.get_or_init(|| hashed(session_id));
    }

    pub fn mcp_method(&self, method: &str) {
        self.0
            .mcp_method
            .get_or_init(|| method.chars().take(MAX_METHOD).collect());
    }

    pub(super) fn line(&self) -> Line<'_> {
        Line {
            user: self.0.user.get().map(String::as_str),
            session: self.0.session.get().map(String::as_str),
            mcp_method: self.0.mcp_method.get().map(String::as_str),
        }
    }
}

/// What is logged.
pub(super) struct Line<'a> {
    pub user: Option<&'a str>,
    pub session: Option<&'a str>,
    pub mcp_method: Option<&'a str>,
}
