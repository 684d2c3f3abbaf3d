//! Time to live: renewed in batches, for all sessions by one task.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior};

use crate::{SessionId, edges::LostEdges, routing::Hub, store::Renewal, sync::lock};

/// Sessions that wait to be renewed. Beyond, edges say it again soon enough.
const MAX_TOUCHED: usize = 1_000_000;
const LONGEST_TICK: Duration = Duration::from_secs(1);
const LONGEST_SWEEP: Duration = Duration::from_secs(30);

impl Hub {
    /// These sessions were used.
    pub(crate) fn touch(&self, ids: impl Iterator<Item = SessionId>) {
        let mut touched = lock(&self.touched);
        for id in ids {
            if touched.len() < MAX_TOUCHED {
                touched.insert(id);
            }
        }
    }

    /// Attached sessions are renewed, and followed ones looked up, this often.
    pub(crate) fn sweep_interval(&self) -> Duration {
        (self.settings.ttl / 3).min(LONGEST_SWEEP)
    }

    /// Runs until the replica shuts down.
    pub(crate) async fn keep_alive(self: Arc<Self>) {
        let mut ticks = tokio::time::interval((self.settings.ttl / 10).min(LONGEST_TICK));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut swept = Instant::now();
        let mut lost = LostEdges::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.stopping.cancelled() => break,
            }
            self.run_retries();
            self.renew_touched().await;
            self.look_for_dead_edges(&mut lost).await;
            if swept.elapsed() >= self.sweep_interval() {
                swept = Instant::now();
                self.sweep().await;
            }
        }
        self.renew_touched().await;
    }

    async fn renew_touched(&self) {
        let touched: HashSet<SessionId> = std::mem::take(&mut *lock(&self.touched));
        let renewals: Vec<_> = touched
            .into_iter()
            .map(|session| Renewal {
                session,
                holder: None,
                change: None,
            })
            .collect();
        self.renew(&renewals).await;
    }

    async fn renew(&self, renewals: &[Renewal]) {
        if renewals.is_empty() {
            return;
        }
        match self.store.renew(renewals).await {
            Ok(gone) => gone.iter().for_each(|id| self.end_session(id)),
            Err(error) => {
                tracing::debug!(%error, "sessions were not renewed");
                self.touch(renewals.iter().map(|renewal| renewal.session.clone()));
            }
        }
    }

    /// An open stream counts as use. A session that nobody uses ends, and whoever follows it learns that.
    async fn sweep(self: &Arc<Self>) {
        self.store.purge().await;
        let mut renewals = Vec::new();
        let mut followed = Vec::new();
        let mut attachments = Vec::new();
        let mut behind = Vec::new();
        let mut awaiting = Vec::new();
        for (id, route) in lock(&self.table).sessions() {
            if route
                .followers
                .values()
                .any(|follower| !follower.awaiting.is_empty())
            {
                awaiting.push(id.clone());
            }
            if route.attachments.is_empty() {
                followed.push(id.clone());
                continue;
            }
            let standalone = || {
                route
                    .attachments
                    .values()
                    .filter(|attachment| attachment.stream.is_standalone())
            };
            renewals.push(Renewal {
                session: id.clone(),
                holder: standalone()
                    .find(|attachment| !attachment.is_silent())
                    .map(|attachment| attachment.name.clone()),
                change: route.changes.live.as_ref().map(|live| live.applied),
            });
            if route.has_standalone() && route.changes.live.is_none() {
                behind.push(id.clone());
            }
            attachments.extend(route.attachments.values().cloned());
        }
        self.renew(&renewals).await;
        followed.extend(self.lifetimes.due());
        match self.store.missing(&followed).await {
            Ok(gone) => gone.iter().for_each(|id| self.end_session(id)),
            Err(error) => tracing::debug!(%error, "followed sessions could not be looked up"),
        }
        for id in behind {
            self.spawn_catch_up(id);
        }
        // Their announcements may have been lost.
        for id in awaiting {
            self.deliver_answers(&id, true, None);
        }
        for attachment in attachments {
            if attachment.is_silent() {
                // Its holder may have died.
                attachment.vacant.store(true, Ordering::Release);
            }
            self.wake(&attachment);
        }
    }
}
