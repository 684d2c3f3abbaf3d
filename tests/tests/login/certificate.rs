//! A certificate for `localhost`, of an authority that nobody else trusts.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

pub struct Certificate {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    /// `directory` must exist.
    pub fn create(directory: &Path) -> Self {
        let at = |name: &str| directory.join(name);
        let (authority, certificate, key) = (at("ca.pem"), at("localhost.pem"), at("localhost.key"));
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
        let ca_key = text(&at("ca.key"));
        let ca = text(&authority);
        openssl(
            &[
                &new[..],
                &["-subj", "/CN=test authority", "-keyout", &ca_key, "-out", &ca],
            ]
            .concat(),
        );
        let (out, key_out) = (text(&certificate), text(&key));
        let leaf = [
            &new[..],
            &["-subj", "/CN=localhost", "-CA", &ca, "-CAkey", &ca_key],
            &["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            &["-addext", "basicConstraints=critical,CA:FALSE"],
            &["-keyout", &key_out, "-out", &out],
        ];
        openssl(&leaf.concat());
        Self {
            authority,
            certificate,
            key,
        }
    }
}

fn openssl(arguments: &[&str]) {
    let output = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}\n{said}");
}
