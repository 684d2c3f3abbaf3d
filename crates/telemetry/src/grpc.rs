//! One span per RPC on either side, connected over gRPC metadata.
//!
//! Names and attributes follow the OpenTelemetry semantic conventions for RPC.

use std::task::{Context, Poll};

use tower::{Layer, Service};
use tracing::{Instrument, Span, field::Empty, instrument::Instrumented};

use crate::propagation;

/// Opens a SERVER span for each RPC, as a child of the caller's.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerTraceLayer;

#[derive(Clone, Debug)]
pub struct ServerTrace<S> {
    inner: S,
}

impl<S> Layer<S> for ServerTraceLayer {
    type Service = ServerTrace<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ServerTrace { inner }
    }
}

impl<S, B> Service<http::Request<B>> for ServerTrace<S>
where
    S: Service<http::Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Instrumented<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let name = request.uri().path().trim_start_matches('/');
        // Health checks come every few seconds from everywhere and say nothing about requests.
        let span = if name.starts_with("grpc.") {
            Span::none()
        } else {
            let span = tracing::info_span!(
                "rpc.server",
                otel.name = name,
                otel.kind = "server",
                rpc.system.name = "grpc",
                rpc.method = name,
            );
            propagation::set_parent(&span, &propagation::from_headers(request.headers()));
            span
        };
        let future = {
            let _entered = span.enter();
            self.inner.call(request)
        };
        future.instrument(span)
    }
}

/// Opens the CLIENT span of an outgoing RPC and writes its context into the metadata.
pub fn client_span<B>(request: &mut http::Request<B>) -> Span {
    let name = request.uri().path().trim_start_matches('/').to_owned();
    let span = tracing::info_span!(
        "rpc.client",
        otel.name = name,
        otel.kind = "client",
        otel.status_code = Empty,
        rpc.system.name = "grpc",
        rpc.method = name,
        rpc.response.status_code = Empty,
    );
    propagation::to_headers(&propagation::of(&span), request.headers_mut());
    span
}
