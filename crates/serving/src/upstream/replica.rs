//! One replica: what is known of it, and what it has to do.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use telemetry::grpc::ClientCall;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use super::outlier::{Record, Standing};
use crate::{Reason, Target};

pub(super) struct Replica {
    pub target: Target,
    /// One of the addresses of the target's name.
    pub address: Option<SocketAddr>,
    pub channel: Channel,
    /// Set when TLS fails.
    tls_refused: Arc<AtomicBool>,
    /// Wakes the health check.
    pub doubts: Notify,
    /// Ends what watches it.
    pub gone: CancellationToken,
    known: Mutex<Known>,
    /// Calls whose response has not ended.
    open: AtomicUsize,
}

struct Known {
    health: Health,
    record: Record,
}

/// What a replica says of itself, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It did not say anything yet.
    Unknown,
    Serving,
    NotServing(Reason),
    /// It said that it serves, but a call failed or there was no answer since. Used while no other one is left.
    Doubtful,
}

/// What choosing between replicas goes by.
pub(super) struct View {
    pub health: Health,
    pub standing: Standing,
    pub open: usize,
    /// More is worse.
    pub cost: f64,
    pub latency_s: Option<f64>,
}

impl Replica {
    pub fn new(
        target: Target,
        address: Option<SocketAddr>,
        channel: Channel,
        tls_refused: Arc<AtomicBool>,
        gone: CancellationToken,
    ) -> Self {
        Self {
            target,
            address,
            channel,
            tls_refused,
            doubts: Notify::new(),
            gone,
            known: Mutex::new(Known {
                health: Health::Unknown,
                record: Record::default(),
            }),
            open: AtomicUsize::new(0),
        }
    }

    pub fn health(&self) -> Health {
        self.known().health
    }

    /// What it was before.
    pub fn set_health(&self, health: Health) -> Health {
        let mut known = self.known();
        // What a process did says nothing about the one that takes its place.
        if matches!(
            health,
            Health::NotServing(Reason::Unreachable | Reason::TlsRefused | Reason::ShuttingDown)
        ) {
            known.record = Record::default();
        }
        std::mem::replace(&mut known.health, health)
    }

    /// Why there is no connection.
    pub fn why_lost(&self) -> Reason {
        match self.tls_refused.swap(false, Ordering::Relaxed) {
            true => Reason::TlsRefused,
            false => Reason::Unreachable,
        }
    }

    pub fn view(&self, now: Instant) -> View {
        let known = self.known();
        let open = self.open.load(Ordering::Relaxed);
        View {
            health: known.health,
            standing: known.record.standing(now),
            open,
            cost: (open + 1) as f64 * known.record.expected_s(now),
            latency_s: known.record.latency_s(),
        }
    }

    pub fn record<T>(&self, use_it: impl FnOnce(&mut Record) -> T) -> T {
        use_it(&mut self.known().record)
    }

    pub fn begin_call(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub fn end_call(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Says on an RPC's span where it goes.
    pub fn name_on(&self, call: &ClientCall) {
        match &self.target {
            Target::Http(uri) => call.sent_to(uri.host().unwrap_or_default(), uri.port_u16()),
            Target::Unix(path) => call.sent_to(&path.to_string_lossy(), None),
            Target::Memory(_) => call.sent_to(&self.target.to_string(), None),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{} at {address}", self.target),
            None => self.target.fmt(f),
        }
    }
}
