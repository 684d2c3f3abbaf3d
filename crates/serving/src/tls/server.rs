use std::{fmt, io, path::PathBuf};

use rustls::{ServerConfig, server::WebPkiClientVerifier};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::files::{Current, follow, identity, provider, refused, roots};
use crate::Error;

/// The server's side of TLS, with the certificates that are in the files now. Cheap to clone.
#[derive(Clone)]
pub struct ServerTls(Current<ServerConfig>);

impl ServerTls {
    /// For HTTP clients, who show no certificate. Must be called within a Tokio runtime.
    pub fn for_http(cert: PathBuf, key: PathBuf) -> Result<Self, Error> {
        Self::follow(vec![cert, key], &[b"h2", b"http/1.1"])
    }

    /// For callers with a certificate of `ca`. Must be called within a Tokio runtime.
    pub fn for_grpc(cert: PathBuf, key: PathBuf, ca: PathBuf) -> Result<Self, Error> {
        Self::follow(vec![cert, key, ca], &[b"h2"])
    }

    fn follow(paths: Vec<PathBuf>, protocols: &'static [&'static [u8]]) -> Result<Self, Error> {
        follow(paths, move |contents| configure(contents, protocols)).map(Self)
    }

    /// Does the handshake. Callers bound the wait.
    pub async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = self.0.borrow().clone();
        TlsAcceptor::from(config).accept(stream).await
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

/// `contents`: certificate, key, and the callers' CA if they have to show a certificate.
fn configure(contents: &[Vec<u8>], protocols: &[&[u8]]) -> Result<ServerConfig, Error> {
    let own = identity(&contents[0], &contents[1])?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(refused)?;
    let builder = match contents.get(2) {
        Some(ca) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots(ca)?, provider())
                .build()
                .map_err(|error| Error::Tls(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    // Finds out as well whether the key is the certificate's.
    let mut config = builder.with_single_cert(own.chain, own.key).map_err(refused)?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}
