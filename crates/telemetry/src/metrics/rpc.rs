//! RPCs, on either side (docs/rpc/rpc-metrics.md). A call lasts until its last message, also where that is a stream.

use std::{
    collections::HashSet,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use opentelemetry::{KeyValue, metrics::Histogram};
use tower::{Layer, Service};

use super::{Metrics, names};
use crate::conventions::{
    general::ERROR_TYPE,
    rpc::{GRPC, RPC_METHOD, RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME, is_server_error, status_name},
};

const GRPC_STATUS: &str = "grpc-status";
const CANCELLED: i32 = 1;
const UNKNOWN: i32 = 2;

/// What is measured of the calls that a process makes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RpcClientMetrics {
    enabled: bool,
    duration: Histogram<f64>,
}

/// Measures the calls that a server answers.
#[derive(Clone)]
pub struct RpcServerMetricsLayer {
    enabled: bool,
    duration: Histogram<f64>,
    methods: Arc<HashSet<String>>,
}

#[derive(Clone)]
pub struct RpcServerMetrics<S> {
    inner: S,
    layer: RpcServerMetricsLayer,
}

/// A call under way. Dropped without a status, it was given up.
pub struct Call {
    duration: Histogram<f64>,
    started: Instant,
    method: String,
    server: bool,
    code: i32,
}

/// A response body that ends its call.
pub struct Measured<B> {
    body: B,
    call: Option<Call>,
}

impl RpcClientMetrics {
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            enabled: metrics.is_enabled(),
            duration: metrics.seconds(names::RPC_CLIENT_DURATION, names::REQUEST_BUCKETS),
        }
    }

    /// A call of the generated clients. None: nobody takes what would be measured.
    pub fn begin<B>(&self, request: &Request<B>) -> Option<Call> {
        let method = request.uri().path().trim_start_matches('/');
        self.enabled
            .then(|| Call::new(&self.duration, method.to_owned(), false))
    }
}

impl RpcServerMetricsLayer {
    /// `methods` are the full names (`package.Service/Method`) that are served; others are `_OTHER`.
    pub fn new(metrics: &Metrics, methods: impl IntoIterator<Item = String>) -> Self {
        Self {
            enabled: metrics.is_enabled(),
            duration: metrics.seconds(names::RPC_SERVER_DURATION, names::REQUEST_BUCKETS),
            methods: Arc::new(methods.into_iter().collect()),
        }
    }

    fn begin(&self, path: &str) -> Option<Call> {
        let method = path.trim_start_matches('/');
        // Health checks come every few seconds from everywhere, or last for ever.
        if !self.enabled || method.starts_with("grpc.health.") {
            return None;
        }
        let known = self.methods.contains(method);
        let method = if known { method } else { "_OTHER" };
        Some(Call::new(&self.duration, method.to_owned(), true))
    }
}

impl Call {
    fn new(duration: &Histogram<f64>, method: String, server: bool) -> Self {
        Self {
            duration: duration.clone(),
            started: Instant::now(),
            method,
            server,
            code: CANCELLED,
        }
    }

    /// Ends the call before it has an answer, with a number of gRPC's.
    pub fn failed(mut self, code: i32) {
        self.code = code;
    }

    /// A response without a body says in its headers what became of the call; else its trailers do.
    pub fn until_end_of<B: Body + Unpin>(mut self, response: Response<B>) -> Response<Measured<B>> {
        self.note(response.headers());
        let call = Some(self);
        response.map(|body| Measured { body, call })
    }

    fn note(&mut self, headers: &HeaderMap) {
        let code = headers.get(GRPC_STATUS).and_then(|code| code.to_str().ok());
        if let Some(code) = code {
            // What is no number is UNKNOWN (gRPC over HTTP/2).
            self.code = code.parse().unwrap_or(UNKNOWN);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let code = status_name(self.code);
        let failed = if self.server {
            is_server_error(code)
        } else {
            code != "OK"
        };
        let mut attributes = Vec::with_capacity(4);
        attributes.push(KeyValue::new(RPC_SYSTEM_NAME, GRPC));
        attributes.push(KeyValue::new(RPC_METHOD, std::mem::take(&mut self.method)));
        attributes.push(KeyValue::new(RPC_RESPONSE_STATUS_CODE, code));
        if failed {
            attributes.push(KeyValue::new(ERROR_TYPE, code));
        }
        self.duration
            .record(self.started.elapsed().as_secs_f64(), &attributes);
    }
}

impl<B> Measured<B> {
    pub fn unmeasured(body: B) -> Self {
        Self { body, call: None }
    }
}

impl<B: Body + Unpin> Body for Measured<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(trailers), Some(call)) = (frame.trailers_ref(), &mut self.call) {
                    call.note(trailers);
                    self.call = None;
                }
            }
            Poll::Ready(Some(Err(_)) | None) => self.call = None,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<S> Layer<S> for RpcServerMetricsLayer {
    type Service = RpcServerMetrics<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RpcServerMetrics {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S, Q, A> Service<Request<Q>> for RpcServerMetrics<S>
where
    S: Service<Request<Q>, Response = Response<A>>,
    S::Future: Send + 'static,
    A: Body + Unpin,
{
    type Response = Response<Measured<A>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let call = self.layer.begin(request.uri().path());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            Ok(match call {
                Some(call) => call.until_end_of(response),
                None => response.map(Measured::unmeasured),
            })
        })
    }
}
