//! What is in the files, now and after they change.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{
    RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{sync::watch, time::MissedTickBehavior};

use crate::Error;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// No file of certificates is longer, bytes.
const LONGEST: u64 = 1024 * 1024;

/// Something that is made from files, as they are now.
pub(super) type Current<T> = watch::Receiver<Arc<T>>;

/// A certificate with those that vouch for it, and its key.
pub(super) struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// Makes a value from the contents of files, and again whenever they change. Fails only the first time: later, what is
/// broken is logged once and the last good value stays. Must be called within a Tokio runtime; its task ends with the
/// last receiver.
pub(super) fn follow<T: Send + Sync + 'static>(
    paths: Vec<PathBuf>,
    make: impl Fn(&[Vec<u8>]) -> Result<T, Error> + Send + Sync + 'static,
) -> Result<Current<T>, Error> {
    let contents = read(&paths)?;
    let (sender, current) = watch::channel(Arc::new(make(&contents)?));
    let paths = Arc::new(paths);
    tokio::spawn(async move {
        let mut seen = Ok(contents);
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = sender.closed() => return,
            }
            let reading = paths.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || read(&reading)).await else {
                return;
            };
            let now = now.map_err(|error| error.to_string());
            if now == seen {
                continue;
            }
            let made = match &now {
                Ok(contents) => make(contents).map_err(|error| error.to_string()),
                Err(error) => Err(error.clone()),
            };
            match made {
                Ok(value) => {
                    tracing::info!(file = %paths[0].display(), "new certificates are in use");
                    sender.send_replace(Arc::new(value));
                }
                Err(error) => tracing::error!(error, "certificates cannot be used; the last good ones stay"),
            }
            seen = now;
        }
    });
    Ok(current)
}

fn read(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, Error> {
    paths.iter().map(|path| read_one(path)).collect()
}

fn read_one(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |problem: String| Error::Tls(format!("{}: {problem}", path.display()));
    let length = std::fs::metadata(path)
        .map_err(|error| failed(error.to_string()))?
        .len();
    if length > LONGEST {
        return Err(failed(format!("is longer than {LONGEST} bytes")));
    }
    std::fs::read(path).map_err(|error| failed(error.to_string()))
}

pub(super) fn identity(cert: &[u8], key: &[u8]) -> Result<Identity, Error> {
    Ok(Identity {
        chain: certificates(cert)?,
        key: PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| Error::Tls("the key file has no private key in PEM".to_owned()))?,
    })
}

pub(super) fn roots(ca: &[u8]) -> Result<Arc<RootCertStore>, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots
            .add(certificate)
            .map_err(|error| Error::Tls(format!("the CA file: {error}")))?;
    }
    Ok(Arc::new(roots))
}

pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(Error::Tls("a file has no certificate in PEM".to_owned())),
    }
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

pub(super) fn refused(error: rustls::Error) -> Error {
    Error::Tls(error.to_string())
}
