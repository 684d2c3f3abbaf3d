//! HTTPS, or why it may be left out.

use std::path::PathBuf;

use clap::Args;

use super::{BadSettings, is_loopback};

/// Settings as given.
#[derive(Args, Clone, Debug, Default)]
pub struct TlsArgs {
    /// PEM file of the certificate for HTTPS. With TLS_KEY this serves HTTPS instead of HTTP. Read again when it changes.
    #[arg(long, env = "TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file of its private key.
    #[arg(long, env = "TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// Listen without TLS beyond loopback. Only for networks where nobody else is, such as behind a proxy that does TLS.
    #[arg(long, env = "ALLOW_PLAINTEXT")]
    pub allow_plaintext: bool,
}

/// Where the certificate for HTTPS is.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl TlsArgs {
    pub(super) fn scheme(&self) -> &'static str {
        match self.tls_cert {
            Some(_) => "https",
            None => "http",
        }
    }

    /// What is given, and whether it will do for a listener on `host`.
    pub(super) fn check(&self, host: &str, bad: &mut BadSettings) -> Option<TlsFiles> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => Some(TlsFiles {
                cert: cert.clone(),
                key: key.clone(),
            }),
            (None, None) => {
                if !self.allow_plaintext && !host.trim().is_empty() && !is_loopback(host) {
                    bad.add(
                        "HOST",
                        format!(
                            "is {host:?}, and without TLS whoever is in between reads every token: set TLS_CERT and TLS_KEY, \
                             or a loopback address, or, where nobody else is in the network, ALLOW_PLAINTEXT=true"
                        ),
                    );
                }
                None
            }
            _ => {
                bad.add("TLS_CERT", "goes together with TLS_KEY: set both or neither");
                None
            }
        }
    }
}
