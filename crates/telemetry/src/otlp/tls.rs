//! Whom the exporters trust.

use std::path::Path;

use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject};
use tonic::transport::ClientTlsConfig;

use super::Destination;
use crate::Error;

/// None: the connection is not encrypted.
pub fn for_grpc(to: &Destination) -> Result<Option<ClientTlsConfig>, Error> {
    if !to.endpoint.starts_with("https://") {
        return Ok(None);
    }
    let tls = ClientTlsConfig::new();
    Ok(Some(match &to.certificate {
        None => tls.with_enabled_roots(),
        Some(path) => tls.trust_anchors(authorities(path)?.roots),
    }))
}

pub fn for_http(to: &Destination) -> Result<ClientConfig, Error> {
    let roots = match &to.certificate {
        None if to.endpoint.starts_with("https://") => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots
        }
        None => RootCertStore::empty(),
        Some(path) => authorities(path)?,
    };
    Ok(ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Those of a PEM file.
fn authorities(path: &Path) -> Result<RootCertStore, Error> {
    let unusable = |reason: String| Error::Certificate {
        path: path.display().to_string(),
        reason,
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("there is none in it".to_owned()));
    }
    Ok(roots)
}
