mod deadline;

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use telemetry::{Metrics, grpc::ClientCall, metrics::rpc::RpcClientMetrics};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Status,
    body::Body,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::Service;
use tracing::Instrument;

use crate::{Replicas, Target, retry::backoff};

pub use deadline::lasting;

/// Quiet time after which a connection is pinged.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Between health checks; shorter than [`KEEP_ALIVE`], see [`keep_in_touch`].
const TOUCH: Duration = Duration::from_secs(3);

/// How replicas are reached.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// Deadline of an RPC's first response, for calls that set none.
    pub timeout: Duration,
    /// Deadline for opening a connection.
    pub connect_timeout: Duration,
    /// Takes what is measured of the calls.
    pub metrics: Metrics,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(2),
            metrics: Metrics::none(),
        }
    }
}

/// A service behind one or more replicas. Watches the health of each; calls go to those that serve.
#[derive(Clone)]
pub struct Upstream {
    pool: Arc<Pool>,
    ready: watch::Receiver<bool>,
}

/// A channel to whichever replica is healthy; for use with the generated clients. Cheap to clone.
#[derive(Clone)]
pub struct GrpcChannel {
    pool: Arc<Pool>,
}

struct Pool {
    service: &'static str,
    settings: UpstreamSettings,
    metrics: RpcClientMetrics,
    replicas: Vec<Arc<Replica>>,
    turn: AtomicUsize,
    ready: watch::Sender<bool>,
}

struct Replica {
    target: Target,
    channel: Channel,
    health: AtomicU8,
    in_flight: AtomicUsize,
}

/// What is known of a replica. An unknown one is tried only while none is known to serve.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Unknown = 0,
    Serving = 1,
    NotServing = 2,
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
        let (sender, ready) = watch::channel(false);
        let replicas = replicas
            .targets()
            .iter()
            .map(|target| {
                Arc::new(Replica {
                    target: target.clone(),
                    channel: open(target, &settings),
                    health: AtomicU8::new(Health::Unknown as u8),
                    in_flight: AtomicUsize::new(0),
                })
            })
            .collect();
        let pool = Arc::new(Pool {
            service,
            metrics: RpcClientMetrics::new(&settings.metrics),
            settings,
            replicas,
            turn: AtomicUsize::new(0),
            ready: sender,
        });
        for replica in &pool.replicas {
            let watching = watch_health(pool.clone(), replica.clone());
            tokio::spawn(shutdown.clone().run_until_cancelled_owned(watching));
            let touching = keep_in_touch(service, replica.clone());
            tokio::spawn(shutdown.clone().run_until_cancelled_owned(touching));
        }
        Self { pool, ready }
    }

    pub fn channel(&self) -> GrpcChannel {
        GrpcChannel {
            pool: self.pool.clone(),
        }
    }

    /// One channel per replica, for callers that need every one of them.
    pub fn replica_count(&self) -> usize {
        self.pool.replicas.len()
    }

    /// Whether at least one replica serves.
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Changes whenever [`Upstream::is_ready`] does.
    pub fn readiness(&self) -> watch::Receiver<bool> {
        self.ready.clone()
    }

    /// Waits until at least one replica serves. Callers bound the wait.
    pub async fn ready(&self) {
        // An error means that the pool is gone, and with it whoever waits.
        _ = self.ready.clone().wait_for(|ready| *ready).await;
    }
}

fn open(target: &Target, settings: &UpstreamSettings) -> Channel {
    let tuned = |endpoint: Endpoint| {
        endpoint
            .connect_timeout(settings.connect_timeout)
            .tcp_nodelay(true)
            // Finds a replica that vanished without closing.
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(Duration::from_secs(3))
            .keep_alive_while_idle(true)
            .initial_stream_window_size(1024 * 1024)
            .initial_connection_window_size(8 * 1024 * 1024)
    };
    match target {
        Target::Http(uri) => tuned(Endpoint::from(uri.clone())).connect_lazy(),
        Target::Unix(path) => {
            let path = path.clone();
            let connect = tower::service_fn(move |_: Uri| {
                let path = path.clone();
                async move { tokio::net::UnixStream::connect(path).await.map(TokioIo::new) }
            });
            tuned(Endpoint::from_static("http://localhost")).connect_with_connector_lazy(connect)
        }
        Target::Memory(connector) => {
            let connector = connector.clone();
            let connect = tower::service_fn(move |_: Uri| {
                let connector = connector.clone();
                async move { connector.connect().await.map(TokioIo::new) as io::Result<_> }
            });
            tuned(Endpoint::from_static("http://localhost")).connect_with_connector_lazy(connect)
        }
    }
}

async fn watch_health(pool: Arc<Pool>, replica: Arc<Replica>) {
    let mut failures = 0;
    loop {
        let mut client = HealthClient::new(replica.channel.clone());
        let request = HealthCheckRequest {
            service: pool.service.to_owned(),
        };
        match client.watch(request).await {
            Ok(response) => {
                let mut updates = response.into_inner();
                while let Ok(Some(update)) = updates.message().await {
                    failures = 0;
                    let serving = update.status() == ServingStatus::Serving;
                    pool.note(
                        &replica,
                        if serving {
                            Health::Serving
                        } else {
                            Health::NotServing
                        },
                    );
                }
                pool.note(&replica, Health::NotServing);
            }
            // A service without the health protocol counts as healthy while it can be reached.
            Err(status) if status.code() == Code::Unimplemented => {
                failures = 0;
                pool.note(&replica, Health::Serving);
                tokio::time::sleep(Duration::from_secs(5)).await;
                continue;
            }
            Err(_) => pool.note(&replica, Health::NotServing),
        }
        failures = u32::min(failures + 1, 6);
        tokio::time::sleep(backoff(failures)).await;
    }
}

/// Has the replica say something now and then, so that it is pinged only when it does not answer. Servers of other makes
/// close a connection on which they get pings and send nothing themselves ("too_many_pings", gRPC proposal A8).
async fn keep_in_touch(service: &'static str, replica: Arc<Replica>) {
    if matches!(replica.target, Target::Memory(_)) {
        return;
    }
    let mut client = HealthClient::new(replica.channel.clone());
    loop {
        tokio::time::sleep(TOUCH).await;
        if replica.is(Health::Serving) {
            let mut request = tonic::Request::new(HealthCheckRequest {
                service: service.to_owned(),
            });
            request.set_timeout(TOUCH);
            // What it answers, the watch knows already.
            _ = client.check(request).await;
        }
    }
}

impl Pool {
    fn note(&self, replica: &Replica, health: Health) {
        let before = replica.health.swap(health as u8, Ordering::Relaxed);
        if before == health as u8 {
            return;
        }
        let service = self.service;
        let target = &replica.target;
        match health {
            Health::Serving => tracing::info!(service, %target, "replica serves"),
            Health::NotServing => tracing::warn!(service, %target, "replica does not serve"),
            Health::Unknown => {}
        }
        let any = self.replicas.iter().any(|replica| replica.is(Health::Serving));
        self.ready
            .send_if_modified(|ready| std::mem::replace(ready, any) != any);
    }

    /// The least busy replica that serves, taking turns among equals.
    fn pick(&self) -> Option<Arc<Replica>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.replicas.len();
        let least_busy = |wanted: Health| {
            (0..count)
                .map(|offset| &self.replicas[(turn + offset) % count])
                .filter(|replica| replica.is(wanted))
                .min_by_key(|replica| replica.in_flight.load(Ordering::Relaxed))
        };
        least_busy(Health::Serving)
            .or_else(|| least_busy(Health::Unknown))
            .cloned()
    }
}

impl Pool {
    async fn send(
        &self,
        request: http::Request<Body>,
        deadline: Duration,
        traced: &ClientCall,
    ) -> Result<http::Response<Body>, Status> {
        let Some(replica) = self.pick() else {
            return Err(Status::unavailable(format!(
                "no replica of {} serves",
                self.service
            )));
        };
        let guard = InFlight::new(replica);
        guard.0.target.name_on(traced);
        let mut channel = guard.0.channel.clone();
        let response = async {
            poll_fn(|context| channel.poll_ready(context)).await?;
            channel.call(request).await
        };
        match tokio::time::timeout(deadline, response).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                tracing::debug!(service = self.service, target = %guard.0.target, %error, "call failed");
                // Others need not find out too; its health watch brings it back.
                self.note(&guard.0, Health::NotServing);
                Err(Status::unavailable(format!(
                    "a replica of {} cannot be reached",
                    self.service
                )))
            }
            Err(_) => Err(Status::deadline_exceeded(format!(
                "{} did not answer in time",
                self.service
            ))),
        }
    }
}

impl Target {
    /// Says on the RPC's span where it went.
    fn name_on(&self, call: &ClientCall) {
        match self {
            Self::Http(uri) => call.sent_to(uri.host().unwrap_or_default(), uri.port_u16()),
            Self::Unix(path) => call.sent_to(&path.to_string_lossy(), None),
            Self::Memory(_) => call.sent_to(&self.to_string(), None),
        }
    }
}

impl Replica {
    fn is(&self, health: Health) -> bool {
        self.health.load(Ordering::Relaxed) == health as u8
    }
}

/// Counts a call for as long as its response is awaited.
struct InFlight(Arc<Replica>);

impl InFlight {
    fn new(replica: Arc<Replica>) -> Self {
        replica.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(replica)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
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
        let deadline = deadline::of(&mut request, pool.settings.timeout);
        let call = async move {
            match pool.send(request, deadline, &traced).await {
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
