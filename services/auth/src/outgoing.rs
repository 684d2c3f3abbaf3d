//! Requests to other servers: to those that the operator named, and to those that strangers did.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use url::{Host, Url};

use crate::error::Error;
use crate::redirect_uri::is_loopback;
use crate::upstream::http::{HttpClient, HttpError};

mod addresses;

/// Whole request, from the name's resolution to the last byte of the body.
const TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const MAX_BODY: usize = 64 * 1024;
/// Requests under way at once, whoever caused them.
const MAX_CONCURRENT: usize = 64;

/// Which addresses may be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The URL is the operator's: anything.
    Anywhere,
    /// The URL is a stranger's: https to public addresses.
    Public,
    /// The same, and also this machine, for development.
    PublicAndLoopback,
}

/// Sends single requests over fresh connections; follows no redirects.
#[derive(Clone)]
pub(crate) struct Outgoing {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    reach: Reach,
    slots: Arc<Semaphore>,
}

/// Resolves a name once; the connection is made to the very addresses that were checked, so a name cannot mean one
/// address when it is checked and another when it is used.
#[derive(Clone)]
struct Resolver(Reach);

impl Outgoing {
    pub fn new(reach: Reach) -> Result<Self, Error> {
        let mut connector = HttpConnector::new_with_resolver(Resolver(reach));
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let tls = HttpsConnectorBuilder::new()
            .with_tls_config(tls()?)
            .https_or_http()
            .enable_http1();
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(tls.wrap_connector(connector));
        Ok(Self {
            client,
            reach,
            slots: Arc::new(Semaphore::new(MAX_CONCURRENT)),
        })
    }

    async fn exchange(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, HttpError> {
        let url = Url::parse(&request.uri().to_string()).map_err(|error| HttpError(error.to_string()))?;
        self.check(&url)?;
        let _slot = self
            .slots
            .acquire()
            .await
            .map_err(|error| HttpError(error.to_string()))?;
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| HttpError(chain(&error)))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, MAX_BODY)
            .collect()
            .await
            .map_err(|error| HttpError(error.to_string()))?;
        Ok(http::Response::from_parts(parts, body.to_bytes().into()))
    }

    /// What the resolver does not see: schemes, and addresses written as such.
    fn check(&self, url: &Url) -> Result<(), HttpError> {
        let refused = |why: &str| Err(HttpError(format!("refused: {why}")));
        match (self.reach, url.scheme()) {
            (Reach::Anywhere, "http" | "https") | (_, "https") => {}
            (Reach::PublicAndLoopback, "http") if is_loopback(url) => {}
            _ => return refuse_scheme(),
        }
        match url.host() {
            Some(Host::Ipv4(address)) if !self.reach.allows(address.into()) => {
                refused("not a public address")
            }
            Some(Host::Ipv6(address)) if !self.reach.allows(address.into()) => {
                refused("not a public address")
            }
            Some(_) => Ok(()),
            None => refused("no host"),
        }
    }
}

fn refuse_scheme() -> Result<(), HttpError> {
    Err(HttpError("refused: not an https url".to_owned()))
}

impl Reach {
    fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Public => addresses::is_public(address),
            Self::PublicAndLoopback => addresses::is_public(address) || address.to_canonical().is_loopback(),
        }
    }
}

/// The system's certificates (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others). Without any, every https request fails
/// and says so.
fn tls() -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(
        added,
        ignored,
        errors = found.errors.len(),
        "certificate authorities"
    );
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Internal(format!("tls: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// hyper's errors say what happened only in their sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[async_trait]
impl HttpClient for Outgoing {
    async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, HttpError> {
        match tokio::time::timeout(TIMEOUT, self.exchange(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(HttpError("timed out".to_owned())),
        }
    }
}

impl tower::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One bad address among good ones is no accident.
            if found.iter().all(|address| reach.allows(address.ip())) {
                Ok(found.into_iter())
            } else {
                Err(io::Error::other(
                    "refused: the name leads to an address that is not public",
                ))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(reach: Reach, url: &str) -> Result<http::Response<Vec<u8>>, HttpError> {
        let request = http::Request::get(url).body(Vec::new()).unwrap();
        Outgoing::new(reach).unwrap().send(request).await
    }

    #[tokio::test]
    async fn a_strangers_url_reaches_nothing_private() {
        for url in [
            "https://127.0.0.1/x",
            "https://127.1/x",
            "https://2130706433/x",
            "https://0x7f.1/x",
            "https://localhost/x",
            "https://[::1]/x",
            "https://[::ffff:127.0.0.1]/x",
            "https://10.0.0.1/x",
            "https://192.168.0.1/x",
            "https://172.16.0.1/x",
            "https://169.254.169.254/latest/meta-data",
            "https://100.100.100.200/x",
            "https://0.0.0.0/x",
            "https://[fd00:ec2::254]/x",
            "https://[fe80::1]/x",
            "http://example.com/x",
            "http://127.0.0.1/x",
        ] {
            let error = get(Reach::Public, url).await.unwrap_err();
            assert!(error.0.contains("refused:"), "{url} {error}");
        }
    }

    #[tokio::test]
    async fn development_may_reach_this_machine_but_no_other() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = get(Reach::PublicAndLoopback, &format!("http://127.0.0.1:{port}/"))
            .await
            .unwrap_err();
        assert!(!error.0.contains("refused:"), "{error}");
        for url in ["http://10.0.0.1/", "https://10.0.0.1/", "http://example.com/"] {
            let error = get(Reach::PublicAndLoopback, url).await.unwrap_err();
            assert!(error.0.contains("refused:"), "{url} {error}");
        }
    }
}
