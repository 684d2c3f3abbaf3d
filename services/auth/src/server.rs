//! The authorization server itself: what its operations share. Each operation is in a file of its own.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Settings;
use crate::store::Store;
use crate::upstream::Upstream;
use crate::vault::Vault;

/// Knows OAuth; knows neither gRPC nor HTTP nor how things are stored.
pub struct AuthorizationServer {
    pub(crate) settings: Settings,
    pub(crate) vault: Vault,
    pub(crate) clock: Clock,
    pub(crate) upstream: Arc<dyn Upstream>,
}

impl AuthorizationServer {
    pub fn new(settings: Settings, store: Arc<dyn Store>, upstream: Arc<dyn Upstream>, clock: Clock) -> Self {
        Self {
            settings,
            vault: Vault::new(store),
            clock,
            upstream,
        }
    }
}
