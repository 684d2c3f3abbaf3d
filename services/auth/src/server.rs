//! The authorization server itself: what its operations share. Each operation is in a file of its own.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Settings;
use crate::dpop::ProofChecker;
use crate::store::Store;
use crate::upstream::Upstream;
use crate::upstream::http::HttpClient;
use crate::vault::Vault;

/// Knows OAuth; knows neither gRPC nor HTTP nor how things are stored.
pub struct AuthorizationServer {
    pub(crate) settings: Settings,
    pub(crate) vault: Vault,
    pub(crate) clock: Clock,
    pub(crate) upstream: Arc<dyn Upstream>,
    /// For URLs that clients name.
    pub(crate) strangers: Arc<dyn HttpClient>,
    pub(crate) proofs: ProofChecker,
}

impl AuthorizationServer {
    pub fn new(
        settings: Settings,
        store: Arc<dyn Store>,
        upstream: Arc<dyn Upstream>,
        strangers: Arc<dyn HttpClient>,
        clock: Clock,
    ) -> Self {
        let proofs = ProofChecker {
            store: Arc::clone(&store),
            clock,
            nonces: settings.dpop_nonces,
        };
        Self {
            settings,
            vault: Vault::new(store),
            clock,
            upstream,
            strangers,
            proofs,
        }
    }
}
