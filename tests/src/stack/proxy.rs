//! A reverse proxy that hands every request to the next edge, so that nothing can rely on reaching the same one twice.

mod lasting;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use axum::{Router, body::Body, extract::State, response::IntoResponse};
use futures::{StreamExt, stream};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri,
    header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    time::sleep,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::lasting::lasting;

/// Above the edge's own limit, so that the edge is the one to refuse.
const BODY_BYTES: usize = 16 * 1024 * 1024;
const PATIENT_ATTEMPTS: usize = 20;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);
/// Meant for one connection only (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [HeaderName; 5] = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

struct Shared {
    edges: Mutex<Vec<SocketAddr>>,
    turn: AtomicUsize,
    token: Mutex<Option<HeaderValue>>,
    /// Every event stream that is open holds a receiver, and ends when it becomes true.
    streams: Mutex<watch::Sender<bool>>,
    client: Client<HttpConnector, Full<bytes::Bytes>>,
    /// Attempts at one request.
    attempts: AtomicUsize,
}

impl Proxy {
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            edges: Mutex::default(),
            turn: AtomicUsize::new(0),
            token: Mutex::default(),
            streams: Mutex::default(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            attempts: AtomicUsize::new(1),
        });
        let stop = CancellationToken::new();
        let serving = axum::serve(
            listener,
            Router::new().fallback(forward).with_state(shared.clone()),
        );
        tokio::spawn(stop.clone().run_until_cancelled_owned(async { serving.await }));
        Ok(Self {
            address,
            shared,
            _stop: stop.drop_guard(),
        })
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn serve(&self, edges: &[SocketAddr]) {
        *lock(&self.shared.edges) = edges.to_vec();
    }

    pub fn forget(&self, edge: SocketAddr) {
        lock(&self.shared.edges).retain(|address| *address != edge);
    }

    pub fn authorize(&self, token: &str) {
        *lock(&self.shared.token) = HeaderValue::try_from(format!("Bearer {token}")).ok();
    }

    /// Tries the next edge where no answer begins, or where it is `503`, as load balancers do that are told to. An event
    /// stream that breaks off goes on there, for clients that neither come back for it nor ask again.
    pub fn try_again(&self) {
        self.shared.attempts.store(PATIENT_ATTEMPTS, Ordering::Relaxed);
    }

    /// Breaks off every event stream that is open, in the middle of its body; answers with how many there were.
    pub fn break_streams(&self) -> usize {
        let streams = std::mem::take(&mut *lock(&self.shared.streams));
        let open = streams.receiver_count();
        streams.send_replace(true);
        open
    }
}

impl Shared {
    async fn attempt(&self, mut request: Request<Full<bytes::Bytes>>) -> anyhow::Result<Response<Body>> {
        let edge = self.next_edge().context("no edge is up")?;
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("http://{edge}{path}")
            .parse::<Uri>()
            .context("bad path")?;
        let response = self
            .client
            .request(request)
            .await
            .context("the edge does not answer")?;
        Ok(response.map(Body::new))
    }

    /// Tries as often as it was told to.
    async fn patiently(&self, request: Request<Full<bytes::Bytes>>) -> anyhow::Result<Response<Body>> {
        let mut attempts = self.attempts.load(Ordering::Relaxed);
        loop {
            let response = self.attempt(request.clone()).await;
            attempts -= 1;
            let taken = |response: &Response<Body>| response.status() != StatusCode::SERVICE_UNAVAILABLE;
            if attempts == 0 || response.as_ref().is_ok_and(taken) {
                return response;
            }
            sleep(BETWEEN_ATTEMPTS).await;
        }
    }

    fn next_edge(&self) -> Option<SocketAddr> {
        let edges = lock(&self.edges);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        edges.get(turn % edges.len().max(1)).copied()
    }
}

async fn forward(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    match pass_on(&shared, request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    }
}

async fn pass_on(shared: &Arc<Shared>, request: Request<Body>) -> anyhow::Result<Response<Body>> {
    let (mut parts, body) = request.into_parts();
    without_hop_by_hop(&mut parts.headers);
    if let Some(token) = lock(&shared.token).clone()
        && !parts.headers.contains_key(AUTHORIZATION)
    {
        parts.headers.insert(AUTHORIZATION, token);
    }
    let body = Limited::new(body, BODY_BYTES)
        .collect()
        .await
        .map_err(anyhow::Error::from_boxed)?
        .to_bytes();
    let request = Request::from_parts(parts, Full::new(body));
    let response = shared.patiently(request.clone()).await?;
    let is_event_stream = is_event_stream(&response);
    let (mut parts, body) = response.into_parts();
    without_hop_by_hop(&mut parts.headers);
    // Streams through; a client that leaves ends the connection to the edge too.
    let body = if is_event_stream {
        let body = match shared.attempts.load(Ordering::Relaxed) {
            1 => body,
            _ => Body::from_stream(lasting(shared.clone(), request, body)),
        };
        breakable(body, lock(&shared.streams).subscribe())
    } else {
        body
    };
    Ok(Response::from_parts(parts, body))
}

/// Ends in an error, which closes the connection, when it is broken.
fn breakable(body: Body, mut broken: watch::Receiver<bool>) -> Body {
    let (until, failed) = oneshot::channel();
    let breaking = async move {
        // Without a sender there is nobody left to break it.
        if broken.wait_for(|broken| *broken).await.is_err() {
            std::future::pending::<()>().await;
        }
        _ = until.send(axum::Error::new("broken off"));
    };
    let failure = stream::once(failed).filter_map(async |failure| failure.ok().map(Err));
    Body::from_stream(body.into_data_stream().take_until(breaking).chain(failure))
}

fn is_event_stream(response: &Response<Body>) -> bool {
    response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes) == Some(b"text/event-stream")
}

fn without_hop_by_hop(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
