//! Reads request bodies: whole, bounded, and within a deadline.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody},
    extract::{Request, State as Shared},
    middleware::Next,
    response::Response,
};
use bytes::{Bytes, BytesMut};
use http::header::EXPECT;
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::{
    State,
    error::{Face, Fault},
};

/// How much of a refused body is read, and for how long, so that the client gets to read the refusal: closing on unread
/// data resets the connection.
const DISCARD_BYTES: u64 = 32 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// What is read at most.
#[derive(Clone, Copy)]
pub struct Bound {
    bytes: usize,
    time: Duration,
}

impl Bound {
    pub fn settings(state: &State) -> Self {
        let limits = &state.config.limits;
        Self {
            bytes: limits.body_bytes,
            time: limits.body_timeout,
        }
    }

    pub fn at_most(state: &State, bytes: usize) -> Self {
        let settings = Self::settings(state);
        Self {
            bytes: settings.bytes.min(bytes),
            ..settings
        }
    }
}

pub async fn read(Shared(bound): Shared<Bound>, request: Request, next: Next) -> Response {
    let face = Face::of(request.uri().path());
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let expects_continue = request.headers().contains_key(EXPECT);
    let (parts, mut body) = request.into_parts();
    if HttpBody::size_hint(&body).lower() > bound.bytes as u64 {
        // Who waits for permission to send needs no more than the answer.
        if !expects_continue {
            discard(body).await;
        }
        return Fault::BodyTooLarge.on(face);
    }
    match timeout(bound.time, collect(&mut body, bound.bytes)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(fault)) => {
            if fault == Fault::BodyTooLarge {
                discard(body).await;
            }
            fault.on(face)
        }
        Err(_) => Fault::BodyTooSlow.on(face),
    }
}

async fn collect(body: &mut Body, limit: usize) -> Result<Bytes, Fault> {
    let mut collected = BytesMut::new();
    let mut only = Bytes::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Fault::BodyBroken)?.into_data() else {
            continue;
        };
        if only.len() + collected.len() + data.len() > limit {
            return Err(Fault::BodyTooLarge);
        }
        // Most bodies come in one piece, which need not be copied.
        if only.is_empty() && collected.is_empty() {
            only = data;
        } else {
            collected.extend_from_slice(&std::mem::take(&mut only));
            collected.extend_from_slice(&data);
        }
    }
    Ok(if collected.is_empty() {
        only
    } else {
        collected.freeze()
    })
}

/// Reads on for a while and throws it away.
pub async fn discard(mut body: Body) {
    let reading = async {
        let mut left = DISCARD_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, |data| data.len() as u64)) else {
                return;
            };
            left = rest;
        }
    };
    // Late is as good as done: the answer goes out either way.
    _ = timeout(DISCARD_TIME, reading).await;
}
