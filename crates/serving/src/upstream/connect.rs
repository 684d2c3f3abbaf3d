//! Opening connections to replicas.

use std::{io, net::SocketAddr, time::Duration};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};
use tonic::transport::{Channel, Endpoint};

use super::UpstreamSettings;
use crate::{Connection, Target};

/// Quiet time after which a connection is pinged; longer than [`UpstreamSettings::check_interval`], since servers of
/// other makes close a connection on which they get pings and send nothing themselves ("too_many_pings", gRPC proposal
/// A8).
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// A channel that connects when it is first used, and again when it has to.
pub(super) fn open(target: &Target, address: Option<SocketAddr>, settings: &UpstreamSettings) -> Channel {
    let connector = tower::service_fn({
        let (target, settings) = (target.clone(), settings.clone());
        move |_: Uri| {
            let (target, settings) = (target.clone(), settings.clone());
            async move { connect(&target, address, &settings).await.map(TokioIo::new) }
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
    _settings: &UpstreamSettings,
) -> io::Result<Connection> {
    match (target, address) {
        (Target::Http(_), Some(address)) => {
            let stream = TcpStream::connect(address).await?;
            // Small messages must not wait for more (Nagle).
            stream.set_nodelay(true)?;
            Ok(Connection::Tcp(stream))
        }
        (Target::Http(_), None) => Err(io::ErrorKind::AddrNotAvailable.into()),
        (Target::Unix(path), _) => UnixStream::connect(path).await.map(Connection::Unix),
        (Target::Memory(connector), _) => connector.connect().await.map(Connection::Memory),
    }
}
