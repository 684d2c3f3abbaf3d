//! Whom the exporters trust.

use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject};
use tonic::transport::{Certificate, ClientTlsConfig};

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
        Some(path) => {
            let pem = std::fs::read(path).map_err(|error| unusable(to, &error))?;
            tls.ca_certificate(Certificate::from_pem(pem))
        }
    }))
}

pub fn for_http(to: &Destination) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    match &to.certificate {
        None if to.endpoint.starts_with("https://") => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        None => {}
        Some(path) => {
            let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unusable(to, &error))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| unusable(to, &error))?;
                roots.add(certificate).map_err(|error| unusable(to, &error))?;
            }
        }
    }
    Ok(ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn unusable(to: &Destination, error: &dyn std::fmt::Display) -> Error {
    let path = to.certificate.as_ref();
    Error::Certificate {
        path: path.map(|path| path.display().to_string()).unwrap_or_default(),
        reason: error.to_string(),
    }
}
