//! What the gRPC side of a process is told about TLS.

use std::path::PathBuf;

use clap::Args;

use super::{ClientTls, ServerTls};
use crate::{Error, ListenAddr, Listener, Replicas, healthcheck};

/// Certificates for gRPC: all three files, or none.
#[derive(Args, Clone, Debug, Default)]
#[group(skip)]
pub struct GrpcTlsArgs {
    /// PEM file of the certificate that this process shows to the services it calls and to its callers. It needs the
    /// usages serverAuth and clientAuth, and the names that the service is called by. Read again when it changes.
    #[arg(long, env = "GRPC_TLS_CERT")]
    pub grpc_tls_cert: Option<PathBuf>,
    /// PEM file of its private key.
    #[arg(long, env = "GRPC_TLS_KEY")]
    pub grpc_tls_key: Option<PathBuf>,
    /// PEM file of the CA whose certificates services and their callers have to show each other.
    #[arg(long, env = "GRPC_TLS_CA")]
    pub grpc_tls_ca: Option<PathBuf>,
}

/// How a gRPC service listens.
#[derive(Args, Clone, Debug, Default)]
#[group(skip)]
pub struct ListenArgs {
    #[command(flatten)]
    pub tls: GrpcTlsArgs,
    /// Listen without TLS beyond loopback. Only for networks where nobody else is.
    #[arg(long, env = "ALLOW_PLAINTEXT")]
    pub allow_plaintext: bool,
}

struct Files {
    cert: PathBuf,
    key: PathBuf,
    ca: PathBuf,
}

impl GrpcTlsArgs {
    pub fn is_set(&self) -> bool {
        self.grpc_tls_cert.is_some() || self.grpc_tls_key.is_some() || self.grpc_tls_ca.is_some()
    }

    fn files(&self) -> Result<Option<Files>, Error> {
        match (&self.grpc_tls_cert, &self.grpc_tls_key, &self.grpc_tls_ca) {
            (None, None, None) => Ok(None),
            (Some(cert), Some(key), Some(ca)) => Ok(Some(Files {
                cert: cert.clone(),
                key: key.clone(),
                ca: ca.clone(),
            })),
            _ => Err(Error::Tls(
                "GRPC_TLS_CERT, GRPC_TLS_KEY and GRPC_TLS_CA go together: set all or none".to_owned(),
            )),
        }
    }

    /// For calling services. Must be called within a Tokio runtime.
    pub fn client(&self) -> Result<Option<ClientTls>, Error> {
        let files = self.files()?;
        files
            .map(|Files { cert, key, ca }| ClientTls::for_grpc(cert, key, ca))
            .transpose()
    }

    /// Whether these replicas are to be called with TLS where, and only where, it is set up. Says what is wrong.
    pub fn check(&self, replicas: &Replicas) -> Result<(), &'static str> {
        let (https, http) = replicas.schemes();
        if https && !self.is_set() {
            Err("begins with https://, which needs GRPC_TLS_CERT, GRPC_TLS_KEY and GRPC_TLS_CA")
        } else if http && self.is_set() {
            Err("begins with http://, but GRPC_TLS_CERT is set: use https:// or unix:")
        } else {
            Ok(())
        }
    }
}

impl ListenArgs {
    /// Opens the listener, with TLS if it is set up. Without it only this machine can be listened to, unless
    /// `allow_plaintext` says otherwise.
    pub async fn listen(&self, address: &ListenAddr) -> Result<Listener, Error> {
        let Some(Files { cert, key, ca }) = self.tls.files()? else {
            if !self.allow_plaintext && !address.is_local().await? {
                return Err(Error::Plaintext(address.to_string()));
            }
            return Listener::bind(address).await;
        };
        let tls = ServerTls::for_grpc(cert, key, ca)?;
        Ok(Listener::bind(address).await?.with_tls(tls))
    }

    /// Asks the service that listens on `address` with the same settings whether it serves.
    pub async fn healthcheck(&self, address: &ListenAddr) -> Result<(), Error> {
        let files = self.tls.files()?;
        let tls = files.map(|Files { cert, key, .. }| ClientTls::for_itself(cert, Some(key)));
        healthcheck(address, tls.transpose()?).await
    }
}
