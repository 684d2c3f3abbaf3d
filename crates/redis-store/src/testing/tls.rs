use std::path::PathBuf;

/// What servers need to speak TLS, to clients and among each other: under the name `localhost`, with a certificate of
/// this authority. They speak plain Redis as well, on another port, which tests use to look behind.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub authority: PathBuf,
}

impl TlsFiles {
    /// As settings of a server that listens with TLS on `port`; clients need no certificate.
    pub(super) fn settings(&self, port: u16) -> Vec<[String; 2]> {
        let settings = [
            ("tls-port", port.to_string()),
            ("tls-cert-file", self.certificate.display().to_string()),
            ("tls-key-file", self.key.display().to_string()),
            ("tls-ca-cert-file", self.authority.display().to_string()),
            ("tls-auth-clients", "no".to_owned()),
            ("tls-replication", "yes".to_owned()),
        ];
        settings.map(|(name, value)| [name.to_owned(), value]).to_vec()
    }
}
