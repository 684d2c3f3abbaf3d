//! One span per RPC on either side, connected over gRPC metadata, from the first message to the status.
//!
//! Names and attributes follow the OpenTelemetry semantic conventions for RPC.

mod body;

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tower::{Layer, Service};
use tracing::{Span, instrument::Instrumented};

use crate::{
    conventions::{
        general::{SERVER_ADDRESS, SERVER_PORT},
        rpc::{GRPC, RPC_METHOD, RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME, is_server_error, status_name},
    },
    propagation, spans,
};

pub use body::ObservedBody;

/// RPCs that last as long as both sides do. What they carry has spans of its own.
const LINKS: [&str; 3] = [
    "everything.session.v1.SessionService/Connect",
    "everything.session.v1.TaskService/WatchTasks",
    "everything.auth.v1.AuthService/Watch",
];

/// RPCs that edges repeat all the time, with or without requests: each would be a trace of its own that nobody looks for.
const BACKGROUND: [&str; 2] = [
    "everything.session.v1.TaskService/ClaimTasks",
    "everything.session.v1.TaskService/RenewTasks",
];

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

impl<S, B, R> Service<http::Request<B>> for ServerTrace<S>
where
    S: Service<http::Request<B>, Response = http::Response<R>>,
{
    type Response = http::Response<ObservedBody<R>>;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let name = request.uri().path().trim_start_matches('/');
        let span = if is_traced(name) {
            let span = tracing::info_span!("rpc.server", otel.name = name, otel.kind = "server");
            propagation::set_parent(&span, &propagation::from_headers(request.headers()));
            describe(&span, name);
            span
        } else {
            Span::none()
        };
        let answering = {
            let _entered = span.enter();
            self.inner.call(request)
        };
        Answering {
            call: Call::new(span.clone(), Side::Server),
            future: Box::pin(tracing::Instrument::instrument(answering, span)),
        }
    }
}

/// An RPC whose response is awaited.
pub struct Answering<F> {
    future: Pin<Box<Instrumented<F>>>,
    call: Option<Call>,
}

impl<F, R, E> Future for Answering<F>
where
    F: Future<Output = Result<http::Response<R>, E>>,
{
    type Output = Result<http::Response<ObservedBody<R>>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.future
            .as_mut()
            .poll(context)
            .map_ok(|response| ObservedBody::observe(response, self.call.take()))
    }
}

/// An outgoing RPC: the CLIENT span, whose context goes along in the metadata.
pub struct ClientCall {
    span: Span,
    call: Option<Call>,
}

impl ClientCall {
    pub fn begin<B>(request: &mut http::Request<B>) -> Self {
        let name = request.uri().path().trim_start_matches('/').to_owned();
        if !is_traced(&name) {
            return Self {
                span: Span::none(),
                call: None,
            };
        }
        let span = tracing::info_span!("rpc.client", otel.name = name, otel.kind = "client");
        describe(&span, &name);
        propagation::to_headers(&propagation::of(&span), request.headers_mut());
        Self {
            call: Call::new(span.clone(), Side::Client),
            span,
        }
    }

    /// For whatever is done to get the response.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// The replica that it went to: a host with a port, or what else the address says.
    pub fn sent_to(&self, host: &str, port: Option<u16>) {
        spans::set_text(&self.span, SERVER_ADDRESS, host);
        if let Some(port) = port {
            spans::set(&self.span, SERVER_PORT, i64::from(port));
        }
    }

    /// The response is there; the span ends with its last message.
    pub fn answered<B>(mut self, response: http::Response<B>) -> http::Response<ObservedBody<B>> {
        ObservedBody::observe(response, self.call.take())
    }

    /// There is none. `code` is the number of the gRPC status that the caller gets instead.
    pub fn failed(mut self, code: i32) {
        if let Some(call) = self.call.take() {
            call.end(code);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// An RPC under way. One that is dropped before its status is there was cancelled by the caller.
#[derive(Debug)]
struct Call {
    span: Span,
    side: Side,
    ended: bool,
}

impl Call {
    fn new(span: Span, side: Side) -> Option<Self> {
        (!span.is_disabled()).then_some(Self {
            span,
            side,
            ended: false,
        })
    }

    fn end(mut self, code: i32) {
        self.record(code);
    }

    fn record(&mut self, code: i32) {
        self.ended = true;
        let name = status_name(code);
        spans::set(&self.span, RPC_RESPONSE_STATUS_CODE, name);
        let failed = match self.side {
            Side::Client => name != "OK",
            Side::Server => is_server_error(name),
        };
        if failed {
            spans::fail(&self.span, name, "");
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        const CANCELLED: i32 = 1;
        if !self.ended {
            self.record(CANCELLED);
        }
    }
}

/// Health checks come every few seconds from everywhere and say nothing about requests.
fn is_traced(name: &str) -> bool {
    !name.starts_with("grpc.") && !LINKS.contains(&name) && !BACKGROUND.contains(&name)
}

fn describe(span: &Span, name: &str) {
    spans::set(span, RPC_SYSTEM_NAME, GRPC);
    spans::set_text(span, RPC_METHOD, name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_request_waits_for_has_no_trace() {
        assert!(is_traced("everything.session.v1.TaskService/GetTask"));
        for name in LINKS
            .iter()
            .chain(&BACKGROUND)
            .chain(&["grpc.health.v1.Health/Check"])
        {
            assert!(!is_traced(name), "{name}");
        }
    }
}
