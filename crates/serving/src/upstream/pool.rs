//! The replicas of one service, and which of them gets a call.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use telemetry::metrics::rpc::RpcClientMetrics;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{
    UpstreamSettings,
    budget::Budget,
    outlier::Standing,
    replica::{Health, Replica, View},
};
use crate::{Readiness, Reason, readiness::set};

pub(super) struct Pool {
    pub service: &'static str,
    pub metrics: RpcClientMetrics,
    pub settings: UpstreamSettings,
    pub budget: Budget,
    /// Somebody could not be reached: names may have other addresses now.
    pub lost_one: Notify,
    replicas: RwLock<Arc<[Arc<Replica>]>>,
    /// A name among the targets has no address.
    unresolved: RwLock<bool>,
    turn: AtomicUsize,
    ready: watch::Sender<Readiness>,
}

/// Whom a call goes to.
pub(super) enum Pick {
    Replica(Arc<Replica>),
    /// All that could take it have as much as they may have.
    Full,
    /// None could take it.
    Nobody,
}

impl Pool {
    pub fn new(service: &'static str, settings: UpstreamSettings, ready: watch::Sender<Readiness>) -> Self {
        Self {
            service,
            metrics: RpcClientMetrics::new(&settings.metrics),
            settings,
            budget: Budget::new(),
            lost_one: Notify::new(),
            replicas: RwLock::new(Arc::from([])),
            unresolved: RwLock::new(false),
            turn: AtomicUsize::new(0),
            ready,
        }
    }

    pub fn replicas(&self) -> Arc<[Arc<Replica>]> {
        self.replicas
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn change(&self, change: impl FnOnce(&mut Vec<Arc<Replica>>)) {
        {
            let mut replicas = self.replicas.write().unwrap_or_else(PoisonError::into_inner);
            let mut list = replicas.to_vec();
            change(&mut list);
            *replicas = list.into();
        }
        self.tell();
    }

    pub fn set_unresolved(&self, unresolved: bool) {
        *self.unresolved.write().unwrap_or_else(PoisonError::into_inner) = unresolved;
        self.tell();
    }

    /// What is known of a replica's health now. Of one that is not watched any more, nothing is.
    pub fn note(&self, replica: &Replica, health: Health) {
        // A watch may hear of one more thing after it was to end: that its own process stops its services, for one.
        if replica.gone.is_cancelled() {
            return;
        }
        let before = replica.set_health(health);
        if before == health {
            return;
        }
        let service = self.service;
        match (before, health) {
            (Health::Doubtful, Health::Serving) => tracing::info!(service, %replica, "replica answers again"),
            (_, Health::Serving) => tracing::info!(service, %replica, "replica serves"),
            (Health::Serving | Health::Doubtful, Health::NotServing(reason)) => {
                tracing::warn!(service, %replica, %reason, "replica does not serve");
            }
            (_, Health::NotServing(reason)) => {
                tracing::info!(service, %replica, %reason, "replica does not serve yet");
            }
            (_, Health::Doubtful) => tracing::warn!(service, %replica, "replica does not answer"),
            (_, Health::Unknown) => {}
        }
        let served = matches!(before, Health::Serving | Health::Doubtful);
        let is_lost = health == Health::NotServing(Reason::Unreachable);
        if is_lost || served && matches!(health, Health::NotServing(_)) {
            self.lost_one.notify_one();
        }
        self.tell();
    }

    /// A call was answered. `took` is given where it says something about the replica.
    pub fn answered(&self, replica: &Replica, took: Option<Duration>) {
        let now = Instant::now();
        replica.record(|record| record.answered(took, now));
        if took.is_some()
            && let Some(best) = self.best_other(replica, now)
            && replica.record(|record| record.is_slow(best))
        {
            let time = replica.record(|record| record.eject(now));
            tracing::warn!(service = self.service, %replica, ?time, "replica is slow and left alone");
            return;
        }
        replica.record(super::outlier::Record::proven);
    }

    /// A call failed in a way that speaks against the replica.
    pub fn failed(&self, replica: &Replica) {
        let now = Instant::now();
        if replica.record(super::outlier::Record::failed) && self.has_other_good(replica, now) {
            let time = replica.record(|record| record.eject(now));
            tracing::warn!(service = self.service, %replica, ?time, "replica fails and is left alone");
        }
    }

    /// The one that will be done with the call soonest, taking turns among equals. Those that were tried come last.
    pub fn pick(&self, tried: &[Arc<Replica>]) -> Pick {
        let replicas = self.replicas();
        let now = Instant::now();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut best: Option<((u8, f64), &Arc<Replica>)> = None;
        let mut full = false;
        for offset in 0..replicas.len() {
            let replica = &replicas[(turn + offset) % replicas.len()];
            let view = replica.view(now);
            let Some(rank) = rank(&view) else { continue };
            if view.open >= self.settings.max_open_calls {
                full = true;
                continue;
            }
            let again = tried.iter().any(|tried| Arc::ptr_eq(tried, replica));
            let key = (rank + if again { 10 } else { 0 }, view.cost);
            if best.is_none_or(|(least, _)| key < least) {
                best = Some((key, replica));
            }
        }
        match best {
            Some((_, replica)) => Pick::Replica(replica.clone()),
            None if full => Pick::Full,
            None => Pick::Nobody,
        }
    }

    /// Whether a call that was sent to `tried` could go to another one that serves.
    pub fn has_alternative(&self, tried: &[Arc<Replica>]) -> bool {
        let now = Instant::now();
        self.replicas().iter().any(|replica| {
            !tried.iter().any(|tried| Arc::ptr_eq(tried, replica)) && rank(&replica.view(now)) == Some(0)
        })
    }

    fn has_other_good(&self, replica: &Replica, now: Instant) -> bool {
        self.replicas()
            .iter()
            .any(|other| !std::ptr::eq(&**other, replica) && rank(&other.view(now)) == Some(0))
    }

    /// The latency of the best replica beside this one, seconds.
    fn best_other(&self, replica: &Replica, now: Instant) -> Option<f64> {
        let replicas = self.replicas();
        let others = replicas.iter().filter(|other| !std::ptr::eq(&***other, replica));
        others
            .map(|other| other.view(now))
            .filter(|view| rank(view) == Some(0))
            .filter_map(|view| view.latency_s)
            .min_by(f64::total_cmp)
    }

    /// Tells whoever waits for the service whether it is there.
    fn tell(&self) {
        let replicas = self.replicas();
        let mut explanation = if *self.unresolved.read().unwrap_or_else(PoisonError::into_inner) {
            Reason::Unresolved
        } else {
            Reason::Starting
        };
        for replica in replicas.iter() {
            let reason = match replica.health() {
                Health::Serving => return set(&self.ready, Readiness::Ready),
                Health::Unknown => Reason::Starting,
                Health::Doubtful => Reason::Unresponsive,
                Health::NotServing(reason) => reason,
            };
            explanation = explanation.max(reason);
        }
        set(&self.ready, Readiness::NotReady(explanation));
    }
}

/// In which order replicas are used. None: not at all.
fn rank(view: &View) -> Option<u8> {
    match (view.health, view.standing) {
        (Health::Serving, Standing::Good) => Some(0),
        // One call at a time finds out.
        (Health::Serving, Standing::OnTrial) if view.open == 0 => Some(0),
        // Better than nobody.
        (Health::Serving, Standing::OnTrial) => Some(1),
        (Health::Serving, Standing::Ejected) => Some(2),
        (Health::Doubtful, _) => Some(3),
        (Health::Unknown, _) => Some(4),
        (Health::NotServing(_), _) => None,
    }
}
