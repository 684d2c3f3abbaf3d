//! Calls to whichever replica of a service is healthy.

mod budget;
mod call;
mod connect;
mod deadline;
mod message;
mod outlier;
mod pool;
mod replica;
mod resolve;
mod watch;

use std::{
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, atomic::AtomicBool},
    task::{Context, Poll},
    time::Duration,
};

use telemetry::{Metrics, grpc::ClientCall};
use tokio_util::sync::CancellationToken;
use tonic::{Status, body::Body};
use tower::Service;
use tracing::Instrument;

use self::{deadline::Patience, pool::Pool, replica::Replica};
use crate::{ClientTls, Damping, Readiness, ReadinessReceiver, Reason, Replicas, Target, damped};

pub use deadline::lasting;
pub use resolve::Resolver;

/// How replicas are reached.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// Deadline of an RPC's first response, for calls that set none.
    pub timeout: Duration,
    /// How long one replica gets for a call that another one could do as well.
    pub try_timeout: Duration,
    /// Deadline for opening a connection.
    pub connect_timeout: Duration,
    /// How often a replica is asked whether it still answers.
    pub check_interval: Duration,
    /// How long it may take to answer that.
    pub check_timeout: Duration,
    /// How often names are looked up.
    pub resolve_interval: Duration,
    /// Calls, streams included, that one replica may have open. More than all replicas may have are refused at once
    /// (RESOURCE_EXHAUSTED). Below what a server takes ([`crate::GrpcLimits`]): there they would wait unseen.
    pub max_open_calls: usize,
    pub resolver: Resolver,
    /// Takes what is measured of the calls.
    pub metrics: Metrics,
    /// For replicas whose address begins with `https://`.
    pub tls: Option<ClientTls>,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            try_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(2),
            check_interval: Duration::from_secs(1),
            check_timeout: Duration::from_secs(1),
            resolve_interval: Duration::from_secs(5),
            max_open_calls: 1000,
            resolver: Resolver::default(),
            metrics: Metrics::none(),
            tls: None,
        }
    }
}

/// A service behind one or more replicas. Watches the health of each; calls go to those that serve.
#[derive(Clone)]
pub struct Upstream {
    pool: Arc<Pool>,
    ready: ReadinessReceiver,
    shown: ReadinessReceiver,
}

/// A channel to whichever replica is healthy; for use with the generated clients. Cheap to clone.
///
/// Each call goes to the replica that is likely to be done first. A replica that is gone, hangs or is much slower than
/// the others is left alone until it is better; a call that can be repeated without harm ([`crate::retry`]) then goes to
/// another one, within its own deadline and within what retries may cost in all.
#[derive(Clone)]
pub struct GrpcChannel {
    pool: Arc<Pool>,
}

impl Upstream {
    /// `service` is the full gRPC name whose health is watched (empty: the whole server). Returns at once; use
    /// [`Upstream::ready`] to wait. The watches end with `shutdown`.
    pub fn connect(
        service: &'static str,
        replicas: Replicas,
        settings: UpstreamSettings,
        shutdown: CancellationToken,
    ) -> Self {
        let (sender, ready) = tokio::sync::watch::channel(Readiness::NotReady(Reason::Starting));
        let pool = Arc::new(Pool::new(service, settings, sender));
        for target in replicas.targets() {
            match address_of(target) {
                Address::Fixed(address) => join(&pool, target.clone(), address, &shutdown),
                Address::Name => {
                    let following = resolve::follow(pool.clone(), target.clone(), shutdown.clone());
                    tokio::spawn(shutdown.clone().run_until_cancelled_owned(following));
                }
            }
        }
        Self {
            pool,
            shown: damped(ready.clone(), Damping::EDGE),
            ready,
        }
    }

    pub fn channel(&self) -> GrpcChannel {
        GrpcChannel {
            pool: self.pool.clone(),
        }
    }

    /// Whether at least one replica serves.
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow() == Readiness::Ready
    }

    /// Whether at least one replica serves, and if not, why.
    pub fn readiness(&self) -> ReadinessReceiver {
        self.ready.clone()
    }

    /// The same without blips, for others to act upon.
    pub fn damped_readiness(&self) -> Readiness {
        *self.shown.borrow()
    }

    /// Waits until at least one replica serves. Callers bound the wait.
    pub async fn ready(&self) {
        let mut ready = self.ready.clone();
        // An error means that the pool is gone, and with it whoever waits.
        _ = ready.wait_for(|ready| *ready == Readiness::Ready).await;
    }
}

enum Address {
    /// None: not by IP.
    Fixed(Option<SocketAddr>),
    Name,
}

fn address_of(target: &Target) -> Address {
    match target.host_and_port() {
        None => Address::Fixed(None),
        Some((host, port)) => match host.parse::<IpAddr>() {
            Ok(ip) => Address::Fixed(Some((ip, port).into())),
            Err(_) => Address::Name,
        },
    }
}

/// Takes a replica into the pool and watches it.
fn join(pool: &Arc<Pool>, target: Target, address: Option<SocketAddr>, shutdown: &CancellationToken) {
    let tls_refused = Arc::new(AtomicBool::new(false));
    let channel = connect::open(&target, address, &pool.settings, tls_refused.clone());
    let gone = shutdown.child_token();
    let replica = Arc::new(Replica::new(target, address, channel, tls_refused, gone.clone()));
    pool.change(|replicas| replicas.push(replica.clone()));
    let watching = watch::watch(pool.clone(), replica.clone());
    tokio::spawn(gone.clone().run_until_cancelled_owned(watching));
    let checking = watch::check(pool.clone(), replica);
    tokio::spawn(gone.run_until_cancelled_owned(checking));
}

impl Service<http::Request<Body>> for GrpcChannel {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // Readiness belongs to a replica, and which one is decided per call.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let pool = self.pool.clone();
        let measured = pool.metrics.begin(&request);
        let traced = ClientCall::begin(&mut request);
        let span = traced.span().clone();
        let patience = Patience::of(&request, pool.settings.timeout);
        let call = async move {
            match call::run(&pool, request, patience, &traced).await {
                Ok(response) => {
                    let response = traced.answered(response);
                    Ok(match measured {
                        Some(measured) => measured.until_end_of(response).map(Body::new),
                        None => response.map(Body::new),
                    })
                }
                Err(status) => {
                    if let Some(measured) = measured {
                        measured.failed(status.code() as i32);
                    }
                    traced.failed(status.code() as i32);
                    Err(status)
                }
            }
        };
        Box::pin(call.instrument(span))
    }
}
