//! One connection: HTTP/1 or HTTP/2, with deadlines for heads and idleness, and a graceful end.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use http::Request;
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use serving::{CancellationToken, ServerTls};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tower::ServiceExt;

use super::activity::{Activity, Watched};
use crate::{config::Limits, middleware::client_address::Peer};

/// Requests that one HTTP/2 connection may have open.
const MAX_STREAMS: u32 = 256;

/// Serves connections. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    router: axum::Router,
    tls: Option<ServerTls>,
    protocol: Arc<Builder<TokioExecutor>>,
    limits: Arc<Limits>,
    /// Requests may end, but no more are taken.
    closing: CancellationToken,
}

impl Server {
    pub fn new(
        router: axum::Router,
        tls: Option<ServerTls>,
        limits: Limits,
        closing: CancellationToken,
    ) -> Self {
        let mut protocol = Builder::new(TokioExecutor::new());
        protocol
            .http1()
            .timer(TokioTimer::new())
            // The supervisor below tells heads from idleness; this would cut both alike.
            .header_read_timeout(None)
            .max_buf_size(limits.header_bytes);
        protocol
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            // Finds clients that vanished without closing.
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        Self {
            router,
            tls,
            protocol: Arc::new(protocol),
            limits: Arc::new(limits),
            closing,
        }
    }

    /// Until the connection ends.
    pub async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        // Small events must not wait for more (Nagle).
        _ = stream.set_nodelay(true);
        give_up_after(self.limits.write_timeout, &stream);
        let Some(tls) = self.tls.clone() else {
            return self.serve_over(stream, peer).await;
        };
        match timeout(self.limits.header_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve_over(stream, peer).await,
            // Clients vanish, and port scanners come by, all the time.
            Ok(Err(error)) => tracing::debug!(%error, "a tls handshake failed"),
            Err(_) => tracing::debug!("a tls handshake took too long"),
        }
    }

    async fn serve_over<S>(self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::new();
        let io = TokioIo::new(Watched::new(stream, activity.clone()));
        let service = {
            let activity = activity.clone();
            let router = self.router.clone();
            service_fn(move |request| answer(router.clone(), activity.clone(), peer, request))
        };
        let mut connection = pin!(self.protocol.serve_connection(io, service));
        let mut draining = false;
        loop {
            // While a request is in flight, its end is looked for at this pace.
            let (header_timeout, idle_timeout) = (self.limits.header_timeout, self.limits.idle_timeout);
            let deadline = activity.deadline(header_timeout, idle_timeout);
            let wake = deadline.unwrap_or_else(|| Instant::now() + header_timeout.min(idle_timeout));
            let look_again = Instant::now() + header_timeout.min(idle_timeout);
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        // Clients vanish all the time.
                        tracing::debug!(%error, "a connection failed");
                    }
                    return;
                }
                () = sleep_until(wake.min(look_again)) => {
                    let deadline = activity.deadline(header_timeout, idle_timeout);
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                        tracing::debug!("a quiet connection was closed");
                        return;
                    }
                }
                () = self.closing.cancelled(), if !draining => {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// Ends the connection once the client has taken nothing for so long of what waits for it, be it that it does not read or
/// that it is not there any more. Only the kernel sees how little a slow reader takes: to a process, a socket whose buffer
/// is full is writable again when a good part of the buffer is empty.
#[cfg(target_os = "linux")]
fn give_up_after(timeout: Duration, stream: &TcpStream) {
    // RFC 5482; on Linux it counts for windows that stay closed as well.
    if let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(timeout)) {
        tracing::debug!(%error, "a connection has no write timeout");
    }
}

/// Elsewhere the kernel's own patience has to do.
#[cfg(not(target_os = "linux"))]
fn give_up_after(_: Duration, _: &TcpStream) {}

async fn answer(
    router: axum::Router,
    activity: Activity,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let guard = activity.request();
    request.extensions_mut().insert(Peer(peer));
    let response = router.oneshot(request.map(Body::new)).await?;
    // The request is over when its response's body is.
    Ok(response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _in_flight = &guard;
            frame
        }))
    }))
}
