//! A receiver of OTLP over HTTP that keeps what comes, and with which headers.

use std::{
    io::Read,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, http::HeaderMap, http::Uri};
use bytes::Bytes;
use flate2::read::GzDecoder;
use tokio::{net::TcpListener, task::AbortHandle};

pub struct OtlpHttp {
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

impl OtlpHttp {
    pub async fn start() -> Self {
        let received = Received::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take).with_state(received.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            received,
            serving: serving.abort_handle(),
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
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
