//! A panic is a bug that must not take more down than its own request.

use std::panic::AssertUnwindSafe;

use axum::{extract::Request, middleware::Next, response::Response};
use futures::FutureExt;

use crate::error::{Face, Fault};

pub async fn catch(request: Request, next: Next) -> Response {
    let face = Face::of(request.uri().path());
    // Nothing of the request is used after a panic, so nothing half-changed is seen.
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            // The panic hook has said where; its message may hold what a client sent.
            tracing::error!("a handler panicked");
            Fault::Internal.on(face)
        }
    }
}
