//! A receiver of OTLP over HTTP that keeps what comes, and with which headers.

use std::{
    io::Read,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, http::HeaderMap, http::Uri, serve::Listener};
use bytes::Bytes;
use flate2::read::GzDecoder;
use serving::{Connection, ServerTls, testing::Files};
use tokio::{net::TcpListener, task::AbortHandle};

pub struct OtlpHttp {
    scheme: &'static str,
    address: SocketAddr,
    received: Received,
    serving: AbortHandle,
}

type Received = Arc<Mutex<Vec<Export>>>;

#[derive(Clone, Debug)]
pub struct Export {
    pub path: String,
    pub headers: HeaderMap,
    /// Unpacked.
    pub body: Vec<u8>,
}

/// Accepts with TLS. Who does not trust the certificate is none of the receiver's.
struct Encrypted(TcpListener, ServerTls);

impl Listener for Encrypted {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = Listener::accept(&mut self.0).await;
            if let Ok(stream) = self.1.accept(stream).await {
                return (Connection::Tls(Box::new(stream)), peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl OtlpHttp {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve("http", listener)
    }

    /// With TLS, by this certificate.
    pub async fn start_with_tls(files: &Files) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tls = ServerTls::for_http(files.cert.clone(), files.key.clone()).unwrap();
        Self::serve("https", Encrypted(listener, tls))
    }

    fn serve(scheme: &'static str, listener: impl Listener<Addr = SocketAddr>) -> Self {
        let received = Received::default();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take).with_state(received.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            scheme,
            address,
            received,
            serving: serving.abort_handle(),
        }
    }

    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub fn exports(&self, path: &str) -> Vec<Export> {
        let received = self.received.lock().unwrap();
        received
            .iter()
            .filter(|export| export.path == path)
            .cloned()
            .collect()
    }
}

impl Drop for OtlpHttp {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(received): State<Received>, uri: Uri, headers: HeaderMap, body: Bytes) {
    let mut unpacked = Vec::new();
    if headers
        .get("content-encoding")
        .is_some_and(|encoding| encoding == "gzip")
    {
        GzDecoder::new(&body[..]).read_to_end(&mut unpacked).unwrap();
    } else {
        unpacked.extend_from_slice(&body);
    }
    received.lock().unwrap().push(Export {
        path: uri.path().to_owned(),
        headers,
        body: unpacked,
    });
}
