//! What every process does the same way: listen, serve gRPC, reach replicas of other services, shut down in order.
//!
//! - [`Listener`], [`ListenAddr`], [`memory`]: TCP, Unix sockets, and in-process connections.
//! - [`GrpcServer`]: health, reflection, limits, deadlines, tracing and ordered shutdown around the services.
//! - [`Replicas`], [`Upstream`], [`GrpcChannel`]: calls to whichever replica of a service is healthy; [`lasting`] for
//!   those whose answer is a stream. [`retry`] says which calls are made again.
//! - [`ListenArgs`], [`GrpcTlsArgs`], [`ServerTls`], [`ClientTls`]: TLS from files that may change.
//! - [`Readiness`]: whether a process can do its work, and if not, why.

mod health;
mod healthcheck;
mod listener;
mod readiness;
mod replicas;
pub mod retry;
mod server;
mod shutdown;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
mod upstream;

pub use healthcheck::healthcheck;
pub use listener::{Connection, ListenAddr, Listener, MemoryConnector, memory};
pub use readiness::{Damping, Readiness, ReadinessReceiver, Reason, always_ready, damped, ready_while};
pub use replicas::{Replicas, Target};
pub use server::{GrpcLimits, GrpcServer};
pub use shutdown::shutdown_signal;
pub use tls::{ClientTls, GrpcTlsArgs, ListenArgs, ServerTls};
pub use tokio_util::sync::CancellationToken;
pub use upstream::{GrpcChannel, Resolver, Upstream, UpstreamSettings, lasting};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: std::io::Error },
    #[error("{0:?} is not an address: use host:port or unix:/path")]
    Address(String),
    #[error("{0:?} is not a list of replicas: use http://host:port or unix:/path, separated by commas")]
    Replicas(String),
    #[error("the gRPC server failed: {0}")]
    Serve(#[from] tonic::transport::Error),
    #[error("the reflection service cannot read the contracts: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    #[error("tls: {0}")]
    Tls(String),
    #[error(
        "refusing to listen on {0} without tls, since whoever reaches it could call it: set GRPC_TLS_CERT, GRPC_TLS_KEY \
         and GRPC_TLS_CA, or listen on loopback or a unix: socket, or, where nobody else is in the network, set \
         ALLOW_PLAINTEXT=true"
    )]
    Plaintext(String),
    #[error("not serving: {0}")]
    NotServing(String),
}

impl Error {
    /// Whether other settings are what helps.
    pub fn is_bad_settings(&self) -> bool {
        matches!(
            self,
            Self::Tls(_) | Self::Plaintext(_) | Self::Address(_) | Self::Replicas(_)
        )
    }
}
