//! Opening connections to replicas.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tonic::transport::{Channel, Endpoint};

use super::UpstreamSettings;
use crate::{ClientTls, Connection, Target, tls::is_refusal};

/// Quiet time after which a connection is pinged; longer than [`UpstreamSettings::check_interval`], since servers of
/// other makes close a connection on which they get pings and send nothing themselves ("too_many_pings", gRPC proposal
/// A8).
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// A channel that connects when it is first used, and again when it has to.
pub(super) fn open(
    target: &Target,
    address: Option<SocketAddr>,
    settings: &UpstreamSettings,
    tls_refused: Arc<AtomicBool>,
) -> Channel {
    let connector = tower::service_fn({
        let (target, tls) = (target.clone(), settings.tls.clone());
        move |_: Uri| {
            let (target, tls, tls_refused) = (target.clone(), tls.clone(), tls_refused.clone());
            async move {
                let connection = connect(&target, address, tls, &tls_refused).await;
                connection.map(|connection| TokioIo::new(Watched(connection, tls_refused)))
            }
        }
    });
    let origin = match target {
        Target::Http(uri) => uri.clone(),
        Target::Unix(_) | Target::Memory(_) => Uri::from_static("http://localhost"),
    };
    // The connector above does all there is to do; the address serves for `:authority` and `:scheme`.
    Endpoint::from_static("http://localhost")
        .origin(origin)
        .connect_timeout(settings.connect_timeout)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(8 * 1024 * 1024)
        .connect_with_connector_lazy(connector)
}

async fn connect(
    target: &Target,
    address: Option<SocketAddr>,
    tls: Option<ClientTls>,
    tls_refused: &AtomicBool,
) -> io::Result<Connection> {
    match (target, address) {
        (Target::Http(_), Some(address)) => {
            let stream = TcpStream::connect(address).await?;
            // Small messages must not wait for more (Nagle).
            stream.set_nodelay(true)?;
            if !target.is_https() {
                return Ok(Connection::Tcp(stream));
            }
            let (Some(tls), Some((name, _))) = (tls, target.host_and_port()) else {
                return Err(io::Error::other("there are no certificates for https"));
            };
            match tls.connect(name, stream).await {
                Ok(stream) => Ok(Connection::TlsCaller(Box::new(stream))),
                Err(error) => {
                    notice(&error, tls_refused);
                    Err(error)
                }
            }
        }
        (Target::Http(_), None) => Err(io::ErrorKind::AddrNotAvailable.into()),
        (Target::Unix(path), _) => UnixStream::connect(path).await.map(Connection::Unix),
        (Target::Memory(connector), _) => connector.connect().await.map(Connection::Memory),
    }
}

fn notice(error: &io::Error, tls_refused: &AtomicBool) {
    if is_refusal(error) {
        tracing::debug!(%error, "tls failed");
        tls_refused.store(true, Ordering::Relaxed);
    }
}

/// Notices when the other side refuses our certificate: with TLS 1.3 it says so after the handshake.
struct Watched(Connection, Arc<AtomicBool>);

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.0).poll_read(context, buffer);
        if let Poll::Ready(Err(error)) = &polled {
            notice(error, &this.1);
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, data)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}
