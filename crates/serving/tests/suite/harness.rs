//! Replicas that do as they are told, and wires to them that can be cut.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use everything_proto::feature::v1::{
    CallToolRequest, DescribeRequest, feature_service_client::FeatureServiceClient,
};
use futures::future::BoxFuture;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serving::{
    CancellationToken, GrpcChannel, GrpcLimits, GrpcServer, ListenAddr, Listener, Readiness, Upstream,
    UpstreamSettings,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tonic::{Code, Status, body::Body, server::NamedService};
use tower::Service;

pub const FEATURE: &str = "everything.feature.v1.FeatureService";

/// A replica of the feature service that answers every RPC in the same way.
pub struct Replica {
    pub address: SocketAddr,
    pub readiness: watch::Sender<Readiness>,
    pub stop: CancellationToken,
    pub script: Script,
    pub ended: tokio::task::JoinHandle<()>,
}

#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    Answer,
    AnswerAfter(Duration),
    Fail(Code),
    Hang,
}

/// What a replica does, and what it was asked.
#[derive(Clone)]
pub struct Script(Arc<Mutex<Told>>);

struct Told {
    behaviour: Behaviour,
    calls: HashMap<String, usize>,
}

impl Script {
    pub fn behave(&self, behaviour: Behaviour) {
        self.0.lock().unwrap().behaviour = behaviour;
    }

    /// Calls in all.
    pub fn calls(&self) -> usize {
        self.0.lock().unwrap().calls.values().sum()
    }
}

impl NamedService for Script {
    const NAME: &'static str = FEATURE;
}

impl Service<http::Request<Body>> for Script {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let behaviour = {
            let mut told = self.0.lock().unwrap();
            *told.calls.entry(request.uri().path().to_owned()).or_default() += 1;
            told.behaviour
        };
        Box::pin(async move {
            _ = request.into_body().collect().await;
            match behaviour {
                Behaviour::Answer => {}
                Behaviour::AnswerAfter(time) => sleep(time).await,
                Behaviour::Fail(code) => return Ok(Status::new(code, "as told").into_http()),
                Behaviour::Hang => std::future::pending().await,
            }
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
            // An empty message, uncompressed.
            let frames = [
                Frame::data(Bytes::from_static(&[0; 5])),
                Frame::trailers(trailers),
            ];
            let body = StreamBody::new(futures::stream::iter(frames.map(Ok::<_, Status>)));
            let response = http::Response::builder().header("content-type", "application/grpc");
            Ok(response.body(Body::new(body)).unwrap())
        })
    }
}

impl Replica {
    pub async fn start() -> Self {
        let listener = Listener::bind(&"127.0.0.1:0".parse::<ListenAddr>().unwrap())
            .await
            .unwrap();
        Self::on(listener).await
    }

    pub async fn on(listener: Listener) -> Self {
        let address = listener.local_addr().unwrap();
        let (readiness, receiver) = watch::channel(Readiness::Ready);
        let stop = CancellationToken::new();
        let script = Script(Arc::new(Mutex::new(Told {
            behaviour: Behaviour::Answer,
            calls: HashMap::new(),
        })));
        let limits = GrpcLimits {
            drain_ms: 2_000,
            ..GrpcLimits::default()
        };
        let server = GrpcServer::new(limits).add_service(script.clone());
        let serving = server.serve(listener, receiver, stop.clone());
        let ended = tokio::spawn(async move { serving.await.unwrap() });
        Self {
            address,
            readiness,
            stop,
            script,
            ended,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// What a wire does with what goes over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Whole,
    /// Nothing gets through, and nobody is told.
    Silent,
    /// Connections are closed, and new ones too.
    Cut,
}

/// A wire to `to`. It is as the sender says.
pub async fn wire(to: SocketAddr) -> (String, watch::Sender<Wire>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, state) = watch::channel(Wire::Whole);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let mut state = state.clone();
            tokio::spawn(async move {
                let Ok(far) = TcpStream::connect(to).await else {
                    return;
                };
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                tokio::select! {
                    () = pass(near_in, far_out, state.clone()) => {}
                    () = pass(far_in, near_out, state.clone()) => {}
                    _ = state.wait_for(|state| *state == Wire::Cut) => {}
                }
            });
        }
    });
    (url, sender)
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<Wire>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if state.wait_for(|state| *state != Wire::Silent).await.is_err()
            || to.write_all(&buffer[..read]).await.is_err()
        {
            return;
        }
    }
}

/// As in production, in a hurry.
pub fn settings() -> UpstreamSettings {
    UpstreamSettings {
        timeout: Duration::from_secs(8),
        try_timeout: Duration::from_millis(400),
        check_interval: Duration::from_millis(100),
        check_timeout: Duration::from_millis(400),
        resolve_interval: Duration::from_millis(50),
        ..UpstreamSettings::default()
    }
}

/// An upstream whose every replica is known to serve.
pub async fn connect(urls: &[&str], settings: UpstreamSettings) -> Upstream {
    let upstream = Upstream::connect(
        FEATURE,
        urls.join(",").parse().unwrap(),
        settings,
        CancellationToken::new(),
    );
    soon(upstream.ready()).await;
    upstream
}

/// Until calls reach both.
pub async fn both_are_used(upstream: &Upstream, one: &Script, two: &Script) {
    let (before_one, before_two) = (one.calls(), two.calls());
    until("both replicas get calls", async || {
        _ = describe(upstream).await;
        one.calls() > before_one && two.calls() > before_two
    })
    .await;
}

fn client(upstream: &Upstream) -> FeatureServiceClient<GrpcChannel> {
    FeatureServiceClient::new(upstream.channel())
}

/// May be repeated.
pub async fn describe(upstream: &Upstream) -> Result<(), Status> {
    soon(client(upstream).describe(DescribeRequest {}))
        .await
        .map(drop)
}

/// Must not be repeated.
pub async fn call_tool(upstream: &Upstream) -> Result<(), Status> {
    let answer = soon(client(upstream).call_tool(CallToolRequest::default())).await;
    let mut events = answer?.into_inner();
    while soon(events.message()).await?.is_some() {}
    Ok(())
}

pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future)
        .await
        .expect("within twenty seconds")
}

pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so().await {
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
