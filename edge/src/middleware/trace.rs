//! One span and one log line per request. Queries, headers and bodies stay out of both: they hold secrets.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use hyper::body::{Frame, SizeHint};
use telemetry::propagation;
use tracing::{Instrument, Span, field::Empty};
use uuid::Uuid;

/// Tells a log line from a report: the same id is in both.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest path that is logged, bytes.
const MAX_PATH: usize = 256;

pub async fn trace(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = Uuid::new_v4().simple().to_string();
    let path: String = request.uri().path().chars().take(MAX_PATH).collect();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str);
    // Probes come every few seconds and say nothing about requests.
    let quiet = matches!(route, "/livez" | "/readyz");
    let span = if quiet {
        Span::none()
    } else {
        tracing::info_span!(
            "http.server",
            otel.name = format!("{} {route}", request.method()),
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = %request.method(),
            http.route = route,
            http.response.status_code = Empty,
            url.path = path,
            request_id,
        )
    };
    propagation::set_parent(&span, &propagation::from_headers(request.headers()));
    let method = request.method().clone();
    let mut response = next.run(request).instrument(span.clone()).await;

    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let summary = Summary {
        span,
        request_id,
        method,
        path,
        status: status.as_u16(),
        started,
        bytes: 0,
        complete: false,
        quiet,
    };
    response.map(|body| Body::new(Observed { body, summary }))
}

/// Becomes the log line when the response has ended, whichever way.
struct Summary {
    span: Span,
    request_id: String,
    method: http::Method,
    path: String,
    status: u16,
    started: Instant,
    bytes: u64,
    complete: bool,
    quiet: bool,
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
            ..
        } = self;
        let duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if self.quiet {
            tracing::debug!(parent: None, %method, path, status, duration_ms, bytes, complete, request_id, "request");
            return;
        }
        // Without the span as its parent, whose attributes would say it all again; the trace is named instead.
        let context = propagation::of(&self.span);
        let trace_id = context.traceparent.split('-').nth(1);
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
