//! The body of an event stream: frames as they come, and comments while it is quiet.

use std::{convert::Infallible, pin::Pin, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serving::CancellationToken;
use tokio::time::{Instant, MissedTickBehavior};

use crate::sse;

/// Where frames come from.
pub type Frames = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// `200` with an event stream that ends with `frames`, or when `end` is cancelled.
pub fn respond(frames: Frames, keep_alive: Duration, end: CancellationToken) -> Response {
    let mut ticks = tokio::time::interval_at(Instant::now() + keep_alive, keep_alive);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let body = futures::stream::unfold((frames, ticks, end), |(mut frames, mut ticks, end)| async move {
        let frame = tokio::select! {
            biased;
            frame = frames.next() => frame?,
            () = end.cancelled() => return None,
            _ = ticks.tick() => sse::KEEP_ALIVE,
        };
        ticks.reset();
        Some((Ok::<_, Infallible>(frame), (frames, ticks, end)))
    });
    let mut response = Response::new(Body::from_stream(body));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // Reverse proxies such as nginx would hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
