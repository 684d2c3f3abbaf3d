//! One span and one log line per request. Queries, headers and bodies stay out of both: they hold secrets. The span
//! follows the OpenTelemetry semantic conventions for HTTP servers.

mod facts;
mod span;

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request, State as Shared},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use hyper::body::{Frame, SizeHint};
use telemetry::{
    conventions::http::HTTP_RESPONSE_STATUS_CODE,
    metrics::{
        http::{ActiveRequest, Ended},
        server::Counted,
    },
    propagation, spans,
};
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::State;
pub use facts::Facts;

/// Tells a log line from a report: the same id is in both.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest path that is logged, bytes.
const MAX_PATH: usize = 256;

pub async fn trace(Shared(state): Shared<State>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = Uuid::new_v4().simple().to_string();
    let path: String = request.uri().path().chars().take(MAX_PATH).collect();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map(MatchedPath::as_str);
    let scheme = if state.config.base.is_https() {
        "https"
    } else {
        "http"
    };
    // Probes come every few seconds and say nothing about requests.
    let quiet = matches!(route, Some("/livez" | "/readyz"));
    let span = if quiet {
        Span::none()
    } else {
        span::open(&request, route, &path, scheme, &request_id)
    };
    let method = request.method().clone();
    let measured = state.metrics.http.begin(&method, request.version(), scheme);
    let request_bytes = HttpBody::size_hint(request.body()).exact();
    let facts = Facts::default();
    request.extensions_mut().insert(facts.clone());
    let mut response = next.run(request).instrument(span.clone()).await;

    let status = response.status();
    spans::set(&span, HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
    if status.is_server_error() {
        spans::fail(&span, status.as_str(), "");
    }
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let streams = &state.metrics.streams;
    let stream = is_event_stream(&response).then(|| streams.of(&method, route.unwrap_or_default()).count());
    if status == StatusCode::TOO_MANY_REQUESTS {
        state.metrics.rejections.count("rate_limit");
    }
    let summary = Summary {
        facts,
        measured,
        _stream: stream,
        route: matched,
        request_bytes,
        span,
        request_id,
        method,
        path,
        status: status.as_u16(),
        started,
        bytes: 0,
        // Where there is no body, nobody looks for its end.
        complete: HttpBody::is_end_stream(response.body()),
        quiet,
    };
    response.map(|body| Body::new(Observed { body, summary }))
}

fn is_event_stream(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|content_type| content_type.as_bytes().starts_with(b"text/event-stream"))
}

/// Becomes the log line when the response has ended, whichever way.
struct Summary {
    facts: Facts,
    span: Span,
    request_id: String,
    method: http::Method,
    path: String,
    status: u16,
    started: Instant,
    bytes: u64,
    complete: bool,
    quiet: bool,
    measured: Option<ActiveRequest>,
    _stream: Option<Counted>,
    route: Option<MatchedPath>,
    request_bytes: Option<u64>,
}

/// A response body that counts what is sent of it.
struct Observed {
    body: Body,
    summary: Summary,
}

impl Drop for Summary {
    fn drop(&mut self) {
        let Self {
            request_id,
            method,
            path,
            status,
            bytes,
            complete,
            measured,
            route,
            request_bytes,
            ..
        } = self;
        if let Some(measured) = measured {
            measured.ended(Ended {
                route: route.as_ref().map(MatchedPath::as_str),
                status: *status,
                duration: self.started.elapsed(),
                request_bytes: *request_bytes,
                response_bytes: *bytes,
                complete: *complete,
            });
        }
        let duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if self.quiet {
            tracing::debug!(parent: None, %method, path, status, duration_ms, bytes, complete, request_id, "request");
            return;
        }
        // Without the span as its parent, whose attributes would say it all again; the trace is named instead.
        let context = propagation::of(&self.span);
        let trace_id = context.trace_id();
        let facts::Line {
            user,
            session,
            mcp_method,
        } = self.facts.line();
        tracing::info!(
            parent: None,
            %method,
            path,
            status,
            duration_ms,
            bytes,
            complete,
            request_id,
            trace_id,
            mcp_method,
            session,
            user,
            "request"
        );
    }
}

impl HttpBody for Observed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let span = self.summary.span.clone();
        let polled = span.in_scope(|| Pin::new(&mut self.body).poll_frame(context));
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.summary.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.summary.complete = self.body.is_end_stream();
            }
            Poll::Ready(None) => self.summary.complete = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        HttpBody::size_hint(&self.body)
    }
}
