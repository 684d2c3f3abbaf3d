use std::{fmt, io, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::files::{Current, certificates, follow, identity, provider, refused, roots};
use crate::Error;

/// The caller's side of TLS, with the certificates that are in the files now. Cheap to clone.
#[derive(Clone)]
pub struct ClientTls(Current<ClientConfig>);

impl ClientTls {
    /// For services with a certificate of `ca` for the name they are called by. Must be called within a Tokio runtime.
    pub fn for_grpc(cert: PathBuf, key: PathBuf, ca: PathBuf) -> Result<Self, Error> {
        follow(vec![cert, key, ca], |contents| {
            let own = identity(&contents[0], &contents[1])?;
            let mut config = ClientConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()
                .map_err(refused)?
                .with_root_certificates(roots(&contents[2])?)
                .with_client_auth_cert(own.chain, own.key)
                .map_err(refused)?;
            config.alpn_protocols = vec![b"h2".to_vec()];
            Ok(config)
        })
        .map(Self)
    }

    /// For asking a server with the same files how it is, by whatever address: it has to show the very certificate that
    /// is in them. `key`: shows the certificate too. Must be called within a Tokio runtime.
    pub fn for_itself(cert: PathBuf, key: Option<PathBuf>) -> Result<Self, Error> {
        let paths = [cert].into_iter().chain(key).collect();
        follow(paths, |contents| {
            let expected = certificates(&contents[0])?.swap_remove(0);
            let verifier = Arc::new(Itself {
                expected,
                provider: provider(),
            });
            let builder = ClientConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()
                .map_err(refused)?
                .dangerous()
                .with_custom_certificate_verifier(verifier);
            match contents.get(1) {
                Some(key) => {
                    let own = identity(&contents[0], key)?;
                    let mut config = builder
                        .with_client_auth_cert(own.chain, own.key)
                        .map_err(refused)?;
                    config.alpn_protocols = vec![b"h2".to_vec()];
                    Ok(config)
                }
                None => Ok(builder.with_no_client_auth()),
            }
        })
        .map(Self)
    }

    /// Does the handshake with a server that has to prove that it is `name`. Callers bound the wait.
    pub async fn connect(&self, name: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let config = self.0.borrow().clone();
        TlsConnector::from(config).connect(name, stream).await
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

/// Whether this is TLS failing, as opposed to the connection below it.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

/// Trusts one certificate, whatever it says of itself.
#[derive(Debug)]
struct Itself {
    expected: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Itself {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *shown == self.expected {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General(
                "the certificate is another one".to_owned(),
            ))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
