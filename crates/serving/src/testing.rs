//! Certificates for tests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::GrpcTlsArgs;

/// A certification authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, PEM.
pub struct Issued {
    pub cert: String,
    pub key: String,
}

/// Files as a process is told of them.
#[derive(Clone, Debug)]
pub struct Files {
    pub cert: PathBuf,
    pub key: PathBuf,
    pub ca: PathBuf,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// For both sides of a connection.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.sign(params("a service", names))
    }

    /// The same, but not valid any more.
    pub fn issue_expired(&self, names: &[&str]) -> Issued {
        let mut params = params("a service of long ago", names);
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Issued {
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        Issued {
            cert: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// Writes what was issued, and this authority as the one to trust, to files in `directory`.
    pub fn write(&self, directory: &Path, name: &str, issued: &Issued) -> Files {
        let path = |kind| directory.join(format!("{name}-{kind}.pem"));
        let files = Files {
            cert: path("cert"),
            key: path("key"),
            ca: path("ca"),
        };
        files.replace(issued);
        std::fs::write(&files.ca, &self.pem).unwrap();
        files
    }
}

impl Files {
    pub fn replace(&self, issued: &Issued) {
        std::fs::write(&self.cert, &issued.cert).unwrap();
        std::fs::write(&self.key, &issued.key).unwrap();
    }

    pub fn args(&self) -> GrpcTlsArgs {
        GrpcTlsArgs {
            grpc_tls_cert: Some(self.cert.clone()),
            grpc_tls_key: Some(self.key.clone()),
            grpc_tls_ca: Some(self.ca.clone()),
        }
    }
}

fn params(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
