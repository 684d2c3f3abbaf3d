//! Edges that died, and what becomes of the calls that they ran: those that can be run again go to an edge that lives,
//! the others end in a clear event. Tasks go to others sooner ([`Hub::doubt_tasks`]).
//!
//! The store keeps a lease for each edge, renewed by whichever replica has its link. An edge counts as dead once this
//! replica has seen its lease ended for a whole grace time, while the store answered: so neither a restart of the services
//! nor an outage of the store, nor a clock that was set, kills an edge that lives.

use std::{collections::HashMap, sync::Arc, time::Duration};

use everything_proto::session::v1::{CallTakenOver, connect_response::Message as Out};
use tokio::time::Instant;

use crate::{
    Error, SessionId, StreamName,
    link::Link,
    routing::Hub,
    store::{Fate, NOBODY, TakenOver},
    sync::lock,
};

/// A lease outlives this many heartbeats.
const LEASE_HEARTBEATS: u32 = 3;

/// When this replica first saw that the lease of an edge had ended.
pub(crate) type LostEdges = HashMap<String, Instant>;

const BURY_TRIES: usize = 10;
const BURY_RETRY: Duration = Duration::from_millis(500);

impl Hub {
    /// In a task of its own: a slow store must not hold the link up.
    pub(crate) fn renew_lease(self: &Arc<Self>, link: &Arc<Link>) {
        let (hub, link) = (self.clone(), link.clone());
        self.tasks.spawn(async move { hub.hold_lease(&link).await });
    }

    pub(crate) async fn hold_lease(&self, link: &Link) {
        let lease = self.settings.heartbeat * LEASE_HEARTBEATS;
        if let Err(error) = self.store.renew_edge(&link.edge, lease).await {
            tracing::debug!(%error, "the lease of an edge was not renewed");
        }
    }

    /// A task can be run again, so others may have those of the edge soon, unless it shows that it lives. One that was told
    /// to connect elsewhere does live.
    pub(crate) fn doubt_tasks(self: &Arc<Self>, edge: &str) {
        if self.stopping.is_cancelled() {
            return;
        }
        let (hub, edge) = (self.clone(), edge.to_owned());
        let stopping = self.stopping.clone();
        self.tasks.spawn(stopping.run_until_cancelled_owned(async move {
            if let Err(error) = hub.runs.doubt(&edge).await {
                tracing::debug!(%error, edge, "the leases of an edge's tasks end by themselves");
            }
        }));
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
            // What was handed over waits for nobody.
            if edge != NOBODY && now.duration_since(since) < self.settings.edge_grace {
                continue;
            }
            match self.bury(&edge).await {
                Ok(true) => _ = lost.remove(&edge),
                // Of what is left, some may fit an edge that comes.
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, edge, "the calls of a dead edge could not be ended"),
            }
        }
    }

    /// Finds edges for what was handed over, without waiting for the next look.
    pub(crate) fn place_handed_over(self: &Arc<Self>) {
        let hub = self.clone();
        self.tasks.spawn(async move {
            if let Err(error) = hub.bury(NOBODY).await {
                tracing::debug!(%error, "what was handed over waits");
            }
        });
    }

    /// Tells an edge on its new link what it took over, in case it was told on one that broke.
    pub(crate) fn remind_of_calls(self: &Arc<Self>, link: &Arc<Link>) {
        let (hub, link) = (self.clone(), link.clone());
        self.tasks.spawn(async move {
            let reminded = async {
                for (id, call) in hub.store.calls_of(&link.edge).await? {
                    if let Some(taken) = hub.store.taken_over(&id, &call, &link.edge).await? {
                        link.send(taken_over(&id, &call, taken));
                    }
                }
                Ok::<_, Error>(())
            };
            if let Err(error) = reminded.await {
                tracing::warn!(%error, "an edge was not told what it took over");
                // Its next link tells it.
                link.closed.cancel();
            }
        });
    }

    /// True: no call of the edge is left.
    async fn bury(&self, edge: &str) -> Result<bool, Error> {
        let (mut interrupted, mut moved, mut waiting) = (0_usize, 0_usize, false);
        for (id, call) in self.store.calls_of(edge).await? {
            let link = lock(&self.table).link_for_call(edge, self.next_number());
            match (self.bury_call(&id, &call, edge, link.as_deref()).await?, link) {
                (Fate::Interrupted(position), _) => {
                    self.announce(&id, &call.of_messages(), position).await;
                    interrupted += 1;
                }
                (Fate::TakenOver(taken), Some(link)) => {
                    link.send(taken_over(&id, &call, taken));
                    moved += 1;
                }
                (Fate::Waiting, _) => waiting = true,
                (Fate::NotOpen | Fate::TakenOver(_), _) => {}
            }
        }
        if interrupted > 0 || moved > 0 {
            tracing::warn!(
                edge,
                interrupted,
                moved,
                "an edge is gone; its calls were ended or moved"
            );
        }
        if waiting {
            return Ok(false);
        }
        self.store.forget_edge(edge).await?;
        Ok(true)
    }

    /// A try that fails may have moved the call: the next one asks for the same edge.
    async fn bury_call(
        &self,
        id: &SessionId,
        call: &StreamName,
        edge: &str,
        to: Option<&Link>,
    ) -> Result<Fate, Error> {
        let mut attempt = 1;
        loop {
            match self
                .store
                .bury(id, call, edge, to.map(|link| link.edge.as_str()))
                .await
            {
                Err(Error::Unavailable(_)) if attempt < BURY_TRIES => {
                    tokio::time::sleep(BURY_RETRY).await;
                    attempt += 1;
                }
                Err(error) => {
                    if let Some(link) = to {
                        // Its next link tells it what it has.
                        link.closed.cancel();
                    }
                    return Err(error);
                }
                Ok(fate) => return Ok(fate),
            }
        }
    }
}

fn taken_over(id: &SessionId, call: &StreamName, taken: TakenOver) -> Out {
    Out::CallTakenOver(CallTakenOver {
        session_id: id.as_str().to_owned(),
        user_id: taken.user.as_str().to_owned(),
        stream: call.as_str().to_owned(),
        call: Some(taken.call),
        progress: taken.progress,
        asked: taken.asked,
    })
}
