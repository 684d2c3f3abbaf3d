//! From settings and services to a serving edge.

mod activity;
mod connection;

use std::{io, pin::pin, sync::Arc, time::Duration};

use serving::{CancellationToken, ServerTls};
use telemetry::Metrics;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    Authenticator, Clients, EdgeConfig, EdgeMetrics, Settings, State, Upstreams,
    config::{BadSettings, TlsFiles},
    mcp::Mcp,
    oauth::metadata::Metadata,
    readiness::Dependencies,
    router,
};

/// What a client gets that connects when all connections are taken.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// An edge that is ready to serve.
pub struct Edge {
    pub(crate) state: State,
    pub(crate) router: axum::Router,
    /// Serves HTTPS instead of HTTP.
    tls: Option<ServerTls>,
    /// One permit per connection.
    connections: Arc<Semaphore>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Settings(#[from] BadSettings),
    #[error("AUTH_MODE needs an auth service")]
    NoAuthService,
    #[error("TLS_CERT and TLS_KEY cannot be used: {0}")]
    Tls(#[from] serving::Error),
    #[error("the listener failed: {0}")]
    Listener(#[from] io::Error),
}

impl Edge {
    /// Checks the settings and starts what runs beside requests. Must be called within a Tokio runtime.
    pub fn build(
        config: &EdgeConfig,
        upstreams: Upstreams,
        metrics: &Metrics,
        shutdown: CancellationToken,
    ) -> Result<Self, Error> {
        Self::with_settings(config.check()?, upstreams, metrics, shutdown)
    }

    /// The same, with settings that were checked before.
    pub fn with_settings(
        settings: Settings,
        upstreams: Upstreams,
        metrics: &Metrics,
        shutdown: CancellationToken,
    ) -> Result<Self, Error> {
        let tls = settings.tls.clone();
        let tls = tls.map(|TlsFiles { cert, key }| ServerTls::for_http(cert, key));
        let tls = tls.transpose()?;
        let clients = Clients::new(&upstreams);
        let authenticator = Authenticator::new(&settings, &clients, metrics, shutdown.clone())
            .map_err(|_| Error::NoAuthService)?;
        let Upstreams {
            auth,
            session,
            feature,
        } = upstreams;
        let mcp = Mcp::start(clients.clone(), settings.mcp.clone(), metrics, shutdown.clone());
        let requests = slots(metrics, "requests", settings.limits.requests);
        let connections = slots(metrics, "connections", settings.limits.connections);
        let state = State {
            mcp,
            requests,
            metrics: EdgeMetrics::new(metrics),
            config: Arc::new(settings),
            metadata: Metadata::new(clients.clone()),
            clients,
            authenticator,
            dependencies: Dependencies::new(auth, session, feature),
            shutdown,
        };
        let router = router::build(state.clone());
        Ok(Self {
            state,
            router,
            tls,
            connections,
        })
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// Serves HTTP/1 and HTTP/2 (prior knowledge, or by ALPN where there is TLS) until `shutdown`: then says so at /readyz,
    /// stops accepting after the leave time, lets requests end, and closes what is left when the drain time is over.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), Error> {
        let limits = self.state.config.limits.clone();
        let mcp = self.state.mcp.clone();
        let slots = self.connections;
        let rejections = self.state.metrics.rejections.clone();
        let closing = CancellationToken::new();
        let over_tls = self.tls.is_some();
        let server = connection::Server::new(self.router, self.tls, limits.clone(), closing.clone());
        let mut connections = JoinSet::new();
        let mut left = pin!(async {
            shutdown.cancelled().await;
            sleep(limits.leave_delay).await;
        });
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                // Keeps the set from growing with what has ended.
                Some(_) = connections.join_next() => continue,
                () = &mut left => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            };
            match slots.clone().try_acquire_owned() {
                Ok(slot) => {
                    let serving = server.clone().serve(stream, peer);
                    connections.spawn(async move {
                        serving.await;
                        drop(slot);
                    });
                }
                Err(_) => {
                    rejections.count("connections");
                    // Words before the handshake would be none.
                    if !over_tls {
                        turn_away(stream);
                    }
                }
            }
        }
        // Clients that connect from here on find another edge.
        drop(listener);
        closing.cancel();
        let deadline = Instant::now() + limits.drain_timeout;
        let drained = async { while connections.join_next().await.is_some() {} };
        if timeout_at(deadline, drained).await.is_err() {
            tracing::warn!(
                left = connections.len(),
                "connections were closed at the drain deadline"
            );
        }
        connections.shutdown().await;
        // Those whose clients went on elsewhere.
        mcp.drained(deadline).await;
        Ok(())
    }
}

/// So many at once, and how many of them are taken can be seen.
fn slots(metrics: &Metrics, what: &'static str, limit: usize) -> Arc<Semaphore> {
    let slots = Arc::new(Semaphore::new(limit));
    let seen = Arc::downgrade(&slots);
    let taken = move || Some((limit - seen.upgrade()?.available_permits().min(limit)) as u64);
    telemetry::metrics::server::queue(metrics, what, limit as u64, taken);
    slots
}

/// Out of descriptors, accepting fails at once and again; other failures concern one connection that is gone.
async fn pause_after(error: &io::Error) {
    let gone = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    );
    if !gone {
        tracing::error!(%error, "a connection could not be accepted");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Nothing is waited for: the answer fits the socket's buffer.
fn turn_away(stream: TcpStream) {
    _ = stream.try_write(FULL);
    tokio::spawn(async move {
        let mut stream = stream;
        // Until the client has read it, or soon after: closing on unread data would take the answer back.
        _ = tokio::time::timeout(Duration::from_millis(200), async {
            _ = stream.shutdown().await;
            _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        })
        .await;
    });
}

#[cfg(test)]
mod tests;
