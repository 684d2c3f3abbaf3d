//! TLS: between services (both sides show a certificate), and at the edge (the server does).
//!
//! Certificates are files, which are read again when they change: new connections use the new ones, connections that are
//! open live on. There is one CA for callers and services, so that a certificate of it is what lets anybody in.

mod client;
mod files;
mod server;
mod settings;

pub use client::ClientTls;
pub use server::ServerTls;
pub use settings::{GrpcTlsArgs, ListenArgs};

pub(crate) use client::is_refusal;
