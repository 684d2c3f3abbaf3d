//! Names whose addresses are replicas: looked up again and again, so that new ones are found and gone ones dropped.

use std::{collections::BTreeSet, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{join, pool::Pool};
use crate::Target;

/// Deadline of one lookup.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);
/// Between two lookups, however many replicas are lost.
const LEAST_INTERVAL: Duration = Duration::from_millis(500);

/// After a replica is lost, another one is looked for in shorter intervals, for so long: it takes a container a while to be
/// started in the place of another, at another address.
const EAGER: Duration = Duration::from_secs(30);
const EAGER_INTERVAL: Duration = Duration::from_secs(1);

type Lookup = dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

/// Finds the addresses of a name. The system's resolver by default.
#[derive(Clone)]
pub struct Resolver(Arc<Lookup>);

impl Resolver {
    pub fn new<F>(lookup: impl Fn(String, u16) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |name, port| Box::pin(lookup(name, port))))
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(
            |name, port| async move { Ok(tokio::net::lookup_host((name.as_str(), port)).await?.collect()) },
        )
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// Keeps the pool's replicas of one target those that its name has addresses for.
pub(super) async fn follow(pool: Arc<Pool>, target: Target, shutdown: CancellationToken) {
    let Some((name, port)) = target.host_and_port() else {
        return;
    };
    let service = pool.service;
    let mut known: BTreeSet<SocketAddr> = BTreeSet::new();
    let mut failing = false;
    let mut eager_until = Instant::now();
    loop {
        let lookup = (pool.settings.resolver.0)(name.to_owned(), port);
        let found: BTreeSet<SocketAddr> = match timeout(LOOKUP_TIMEOUT, lookup).await {
            Ok(Ok(found)) => found.into_iter().collect(),
            Ok(Err(_)) | Err(_) => BTreeSet::new(),
        };
        // A resolver that fails says nothing about the replicas.
        if found.is_empty() != failing {
            failing = found.is_empty();
            if failing {
                tracing::warn!(service, name, "a name has no address");
            }
            pool.set_unresolved(failing);
        }
        if !found.is_empty() && found != known {
            let gone: Vec<_> = known.difference(&found).copied().collect();
            for address in found.difference(&known) {
                join(&pool, target.clone(), Some(*address), &shutdown);
            }
            leave(&pool, &target, &gone);
            known = found;
        }
        let interval = match known.is_empty() {
            true => LEAST_INTERVAL,
            false if Instant::now() < eager_until => pool.settings.resolve_interval.min(EAGER_INTERVAL),
            false => pool.settings.resolve_interval,
        };
        tokio::select! {
            () = sleep(interval) => {}
            () = pool.lost_one.notified() => {
                eager_until = Instant::now() + EAGER;
                sleep(LEAST_INTERVAL).await;
            }
        }
    }
}

/// Calls under way at those that are gone go on.
fn leave(pool: &Pool, target: &Target, gone: &[SocketAddr]) {
    pool.change(|replicas| {
        replicas.retain(|replica| {
            let stays = replica.target.host_and_port() != target.host_and_port()
                || !replica.address.is_some_and(|address| gone.contains(&address));
            if !stays {
                tracing::info!(service = pool.service, %replica, "replica is gone");
                replica.gone.cancel();
            }
            stays
        });
    });
}
