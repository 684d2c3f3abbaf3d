//! A whole edge in the test's own process, in front of a scripted auth service that is reached over real gRPC.

mod auth;

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use everything_proto::auth::v1::{
    auth_service_server::AuthServiceServer, fake_upstream_service_server::FakeUpstreamServiceServer,
};
use http::header::{CONTENT_TYPE, HOST};
use http_body_util::BodyExt;
use serde_json::Value;
use serving::{
    CancellationToken, GrpcLimits, GrpcServer, Replicas, Upstream, UpstreamSettings, always_ready, memory,
};
use telemetry::Metrics;
use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;
use tower::ServiceExt;

pub use auth::Script;

use crate::{
    Edge, EdgeConfig, Principal, Settings, State, Upstreams, middleware::client_address::Peer, router,
};

/// A token that the scripted service knows as alice's.
pub const ALICE: &str = "alices-token";

/// The edge under test. Everything ends when it is dropped.
pub struct Harness {
    pub router: Router,
    pub state: State,
    pub auth: Script,
    /// Stops the auth service.
    pub auth_stop: CancellationToken,
    edge: Option<Edge>,
    shutdown: CancellationToken,
    _stop: [DropGuard; 2],
}

/// A response, read to its end.
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Harness {
    pub async fn new() -> Self {
        Self::with(EdgeConfig::default()).await
    }

    /// Waits until the auth service is known to serve.
    pub async fn with(config: EdgeConfig) -> Self {
        Self::with_settings(config.check().unwrap()).await
    }

    pub async fn with_settings(settings: Settings) -> Self {
        let shutdown = CancellationToken::new();
        let auth_stop = CancellationToken::new();
        let auth = Script::default();
        auth.knows(ALICE, "alice");
        let replicas = serve_auth(auth.clone(), auth_stop.clone());
        let connect = |service, replicas| {
            let settings = UpstreamSettings {
                timeout: Duration::from_secs(5),
                ..UpstreamSettings::default()
            };
            Upstream::connect(service, replicas, settings, shutdown.clone())
        };
        let auth_upstream = connect("everything.auth.v1.AuthService", replicas);
        tokio::time::timeout(Duration::from_secs(5), auth_upstream.ready())
            .await
            .expect("auth serves");
        let upstreams = Upstreams {
            auth: settings.auth.needs_auth_service().then_some(auth_upstream),
            session: connect("everything.session.v1.SessionService", nobody()),
            feature: connect("everything.feature.v1.FeatureService", nobody()),
        };
        let mut edge = Edge::with_settings(settings, upstreams, &Metrics::none(), shutdown.clone()).unwrap();
        let router = router::assemble(edge.state.clone(), probes());
        edge.router = router.clone();
        Self {
            router,
            state: edge.state.clone(),
            auth,
            _stop: [shutdown.clone().drop_guard(), auth_stop.clone().drop_guard()],
            auth_stop,
            edge: Some(edge),
            shutdown,
        }
    }

    /// Until the edge hears of revocations, and so remembers tokens.
    pub async fn caching(&self) {
        eventually("the watch stands", || self.state.authenticator.is_caching()).await;
    }

    /// Sends a request as if it came from `127.0.0.1` to `localhost:3232`, unless it says otherwise.
    pub async fn send(&self, request: http::request::Builder, body: impl Into<Body>) -> Answer {
        let mut request = request.body(body.into()).unwrap();
        if !request.headers().contains_key(HOST) && request.uri().authority().is_none() {
            request
                .headers_mut()
                .insert(HOST, "localhost:3232".parse().unwrap());
        }
        if request.extensions().get::<Peer>().is_none() {
            request
                .extensions_mut()
                .insert(Peer(SocketAddr::from(([127, 0, 0, 1], 50_000))));
        }
        Answer::read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    /// `POST` of a form.
    pub async fn form(&self, path: &str, form: &str) -> Answer {
        let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, form.to_owned()).await
    }

    /// `POST /mcp` with a token.
    pub async fn mcp(&self, token: &str) -> Answer {
        let request = Request::post("/mcp").header("authorization", format!("Bearer {token}"));
        self.send(request, "{}").await
    }

    /// Serves on a port of its own. The token ends it; the task ends when it has.
    pub async fn listen(mut self) -> Listening {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let edge = self.edge.take().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(edge.serve(listener, stop.clone()));
        Listening {
            harness: self,
            address,
            stop,
            serving,
        }
    }

    /// Begins the shutdown, as far as the state is concerned.
    pub fn shut_down(&self) {
        self.shutdown.cancel();
    }
}

/// An edge that serves on a port.
pub struct Listening {
    pub harness: Harness,
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub serving: tokio::task::JoinHandle<Result<(), crate::Error>>,
}

impl Answer {
    pub async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
        }
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    /// Empty: there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Polls until it holds, for five seconds at the most.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn serve_auth(script: Script, stop: CancellationToken) -> Replicas {
    let (listener, replicas) = memory();
    let server = GrpcServer::new(GrpcLimits {
        drain_ms: 1,
        ..GrpcLimits::default()
    })
    .add_service(AuthServiceServer::new(script.clone()))
    .add_service(FakeUpstreamServiceServer::new(script));
    tokio::spawn(server.serve(listener, always_ready(), stop));
    replicas
}

/// Where nobody listens.
fn nobody() -> Replicas {
    memory().1
}

/// Stand in for MCP: say who called and with how much.
fn probes() -> Router<State> {
    async fn probe(principal: Principal, body: axum::body::Bytes) -> Response {
        format!(
            "{} {} {}",
            principal.user_id,
            principal.scopes.join(" "),
            body.len()
        )
        .into_response()
    }
    async fn panics() -> Response {
        panic!("a bug")
    }
    async fn stream(state: axum::extract::State<State>) -> Response {
        let shutdown = state.shutdown.clone();
        let first = futures::stream::iter([Ok::<_, std::io::Error>(": open\n\n")]);
        let last = futures::stream::once(async move {
            shutdown.cancelled().await;
            Ok(": end\n\n")
        });
        Body::from_stream(futures::StreamExt::chain(first, last)).into_response()
    }
    async fn flood() -> Response {
        let frames = futures::stream::repeat_with(|| Ok::<_, std::io::Error>([b'x'; 1024].to_vec()));
        Body::from_stream(frames).into_response()
    }
    Router::new()
        .route("/flood", get(flood))
        .route("/mcp", post(probe).get(stream))
        .route("/sse", get(panics))
        .route("/message", post(probe))
}
