//! The admin listener: metrics as Prometheus text, and the levels of the logs.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, ORIGIN},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    Error,
    logs::{Levels, MAX_DIRECTIVES_BYTES},
};

/// Connections held at once. More wait.
const MAX_CONNECTIONS: usize = 16;
/// How long a request may take to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may last.
const CONNECTION_TIME: Duration = Duration::from_secs(300);

/// Serves until it is dropped.
pub struct Admin {
    _serving: AbortOnDropHandle<()>,
}

/// An admin listener that is open and not yet served.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// What requests are answered from.
struct Shown {
    registry: Registry,
    levels: Arc<Levels>,
}

impl Admin {
    /// Loopback only, unless `allow_remote`.
    pub fn bind(address: SocketAddr, allow_remote: bool) -> Result<Bound, Error> {
        if !address.ip().is_loopback() && !allow_remote {
            return Err(Error::AdminNotLoopback(address));
        }
        let open = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((TcpListener::from_std(listener)?, address))
        };
        let (listener, address) = open().map_err(|source| Error::AdminListen { address, source })?;
        Ok(Bound { listener, address })
    }
}

impl Bound {
    pub fn serve(self, registry: Registry, levels: Arc<Levels>) -> Admin {
        tracing::info!(address = %self.address, "the admin listener serves /metrics and /log-level");
        let shown = Arc::new(Shown { registry, levels });
        Admin {
            _serving: AbortOnDropHandle::new(tokio::spawn(accept(self.listener, shown))),
        }
    }
}

async fn accept(listener: TcpListener, shown: Arc<Shown>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: others close theirs.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let shown = shown.clone();
        let answering = service_fn(move |request| {
            let shown = shown.clone();
            async move { Ok::<_, Infallible>(answer(&shown, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(READ_TIMEOUT)
            .serve_connection(TokioIo::new(stream), answering);
        connections.spawn(async move {
            _ = tokio::time::timeout(CONNECTION_TIME, connection).await;
            drop(slot);
        });
    }
}

async fn answer(shown: &Shown, request: Request<Incoming>) -> Response<Full<Bytes>> {
    // Browsers send it, and a page that some site made has no business here.
    if request.headers().contains_key(ORIGIN) {
        return text(StatusCode::FORBIDDEN, "not for browsers\n");
    }
    match (request.uri().path(), request.method()) {
        ("/metrics", &Method::GET) => metrics(&shown.registry),
        ("/metrics", _) => not_allowed("GET"),
        ("/log-level", &Method::GET) => text(StatusCode::OK, format!("{}\n", shown.levels.current())),
        ("/log-level", &Method::PUT) => set_levels(&shown.levels, request).await,
        ("/log-level", _) => not_allowed("GET, PUT"),
        _ => text(StatusCode::NOT_FOUND, "there are /metrics and /log-level\n"),
    }
}

fn metrics(registry: &Registry) -> Response<Full<Bytes>> {
    let encoder = TextEncoder::new();
    let mut shown = Vec::new();
    if let Err(error) = encoder.encode(&registry.gather(), &mut shown) {
        tracing::warn!(%error, "metrics could not be written as text");
        return text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the metrics cannot be written\n",
        );
    }
    let mut response = Response::new(Full::new(shown.into()));
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// The body is the new directives, as in RUST_LOG.
async fn set_levels(levels: &Levels, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let body = Limited::new(request.into_body(), MAX_DIRECTIVES_BYTES).collect();
    let Ok(Ok(body)) = tokio::time::timeout(READ_TIMEOUT, body).await else {
        return text(
            StatusCode::BAD_REQUEST,
            "the body is too long, or did not arrive\n",
        );
    };
    let body = body.to_bytes();
    let Ok(directives) = std::str::from_utf8(&body) else {
        return text(StatusCode::BAD_REQUEST, "the body is not text\n");
    };
    match levels.set(directives) {
        Ok(()) => {
            let now = levels.current();
            tracing::warn!(directives = now, "log levels were changed");
            text(StatusCode::OK, format!("{now}\n"))
        }
        Err(reason) => text(StatusCode::BAD_REQUEST, format!("{reason}\n")),
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "");
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}
