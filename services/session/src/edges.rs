//! Edges that died: the calls that they ran end in a clear event.
//!
//! The store keeps a lease for each edge, renewed by whichever replica has its link. An edge counts as dead once this
//! replica has seen its lease ended for a whole grace time, while the store answered: so neither a restart of the services
//! nor an outage of the store, nor a clock that was set, kills an edge that lives.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use crate::{Error, link::Link, routing::Hub};

/// A lease outlives this many heartbeats.
const LEASE_HEARTBEATS: u32 = 3;

/// When this replica first saw that the lease of an edge had ended.
pub(crate) type LostEdges = HashMap<String, Instant>;

impl Hub {
    /// In a task of its own: a slow store must not hold the link up.
    pub(crate) fn renew_lease(self: &Arc<Self>, link: &Arc<Link>) {
        let (hub, link) = (self.clone(), link.clone());
        let lease = self.settings.heartbeat * LEASE_HEARTBEATS;
        self.tasks.spawn(async move {
            if let Err(error) = hub.store.renew_edge(&link.edge, lease).await {
                tracing::debug!(%error, "the lease of an edge was not renewed");
            }
        });
    }

    pub(crate) async fn look_for_dead_edges(&self, lost: &mut LostEdges) {
        let ended = match self.store.lost_edges().await {
            Ok(ended) => ended,
            Err(error) => {
                tracing::debug!(%error, "leases could not be read");
                lost.clear();
                return;
            }
        };
        lost.retain(|edge, _| ended.contains(edge));
        let now = Instant::now();
        for edge in ended {
            let since = *lost.entry(edge.clone()).or_insert(now);
            if now.duration_since(since) < self.settings.edge_grace {
                continue;
            }
            match self.bury(&edge).await {
                Ok(()) => _ = lost.remove(&edge),
                Err(error) => tracing::warn!(%error, edge, "the calls of a dead edge could not be ended"),
            }
        }
    }

    async fn bury(&self, edge: &str) -> Result<(), Error> {
        let mut interrupted = 0_usize;
        for (id, stream) in self.store.calls_of(edge).await? {
            if let Some((_, position)) = self.store.interrupt(&id, &stream, edge).await? {
                self.announce(&id, &stream, position).await;
                interrupted += 1;
            }
        }
        if interrupted > 0 {
            tracing::warn!(edge, interrupted, "ended the calls of a dead edge");
        }
        self.store.forget_edge(edge).await
    }
}
