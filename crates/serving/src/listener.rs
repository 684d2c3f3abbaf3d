mod tls;

use std::{
    fmt, io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    str::FromStr,
    task::{Context, Poll},
};

use futures::{StreamExt, stream::BoxStream};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::mpsc,
};
use tokio_rustls::{client, server};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream, UnixListenerStream};
use tonic::transport::server::Connected;

use crate::{Error, Replicas, ServerTls};

/// Bytes that an in-process connection holds in each direction before the writer waits.
const MEMORY_BUFFER_BYTES: usize = 256 * 1024;
/// In-process connections that wait to be accepted.
const MEMORY_BACKLOG: usize = 64;

/// Where a gRPC service listens: `host:port` or `unix:/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddr {
    Tcp(String),
    Unix(PathBuf),
}

impl FromStr for ListenAddr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(Error::Address(text.to_owned())),
                path => Ok(Self::Unix(PathBuf::from(path))),
            };
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Self::Tcp(text.to_owned()))
            }
            _ => Err(Error::Address(text.to_owned())),
        }
    }
}

impl ListenAddr {
    /// Whether only this machine reaches it.
    pub(crate) async fn is_local(&self) -> Result<bool, Error> {
        let Self::Tcp(address) = self else {
            return Ok(true);
        };
        let failed = |source| Error::Listen {
            address: address.clone(),
            source,
        };
        let mut found = tokio::net::lookup_host(address).await.map_err(failed)?;
        Ok(found.all(|address| address.ip().is_loopback()))
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An open listener, whatever it listens on.
pub enum Listener {
    Tcp(TcpListener),
    Tls(TcpListener, ServerTls),
    Unix(UnixListener),
    Memory(mpsc::Receiver<DuplexStream>),
}

impl Listener {
    pub async fn bind(address: &ListenAddr) -> Result<Self, Error> {
        let failed = |source| Error::Listen {
            address: address.to_string(),
            source,
        };
        match address {
            ListenAddr::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp).map_err(failed),
            ListenAddr::Unix(path) => {
                // A socket file outlives the process that made it; nobody listens on a stale one.
                if UnixStream::connect(path).await.is_err() {
                    _ = std::fs::remove_file(path);
                }
                UnixListener::bind(path).map(Self::Unix).map_err(failed)
            }
        }
    }

    /// The same with TLS, if it is TCP.
    pub fn with_tls(self, tls: ServerTls) -> Self {
        match self {
            Self::Tcp(listener) => Self::Tls(listener, tls),
            other => other,
        }
    }

    /// The TCP address in use, where there is one.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) | Self::Tls(listener, _) => listener.local_addr().ok(),
            Self::Unix(_) | Self::Memory(_) => None,
        }
    }

    pub(crate) fn into_stream(self) -> BoxStream<'static, io::Result<Connection>> {
        match self {
            Self::Tcp(listener) => TcpListenerStream::new(listener)
                .map(|accepted| {
                    accepted.map(|stream| {
                        // Small messages must not wait for more (Nagle).
                        _ = stream.set_nodelay(true);
                        Connection::Tcp(stream)
                    })
                })
                .boxed(),
            Self::Tls(listener, tls) => {
                let (sender, receiver) = mpsc::channel(1);
                tokio::spawn(tls::accept(listener, tls, sender));
                ReceiverStream::new(receiver).boxed()
            }
            Self::Unix(listener) => UnixListenerStream::new(listener)
                .map(|accepted| accepted.map(Connection::Unix))
                .boxed(),
            Self::Memory(receiver) => ReceiverStream::new(receiver)
                .map(|stream| Ok(Connection::Memory(stream)))
                .boxed(),
        }
    }
}

/// A listener and the address that reaches it, inside this process.
pub fn memory() -> (Listener, Replicas) {
    let (sender, receiver) = mpsc::channel(MEMORY_BACKLOG);
    (
        Listener::Memory(receiver),
        Replicas::memory(MemoryConnector(sender)),
    )
}

/// Opens in-process connections to one [`Listener::Memory`].
#[derive(Clone, Debug)]
pub struct MemoryConnector(mpsc::Sender<DuplexStream>);

impl MemoryConnector {
    pub(crate) async fn connect(&self) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(MEMORY_BUFFER_BYTES);
        self.0.send(theirs).await.map_err(|_| {
            io::Error::new(
                io::ErrorKind::ConnectionRefused,
                "the in-process service has ended",
            )
        })?;
        Ok(ours)
    }
}

/// An accepted connection.
#[derive(Debug)]
pub enum Connection {
    Tcp(TcpStream),
    /// As the server.
    Tls(Box<server::TlsStream<TcpStream>>),
    /// As the client.
    TlsCaller(Box<client::TlsStream<TcpStream>>),
    Unix(UnixStream),
    Memory(DuplexStream),
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

macro_rules! delegate {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Connection::Tcp($stream) => $call,
            Connection::Tls($stream) => $call,
            Connection::TlsCaller($stream) => $call,
            Connection::Unix($stream) => $call,
            Connection::Memory($stream) => $call,
        }
    };
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, stream => Pin::new(stream).poll_write(cx, data))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port_or_a_socket_path() {
        for good in [
            "127.0.0.1:50051",
            "localhost:0",
            "[::1]:80",
            "unix:/run/auth.sock",
        ] {
            assert_eq!(good.parse::<ListenAddr>().unwrap().to_string(), good);
        }
        for bad in ["", "50051", ":50051", "host:port", "unix:", "host:70000"] {
            assert!(bad.parse::<ListenAddr>().is_err(), "{bad:?}");
        }
    }
}
