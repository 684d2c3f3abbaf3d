//! More requests than the edge can work on are turned away at once, with a time to come back.

use axum::{
    extract::{Request, State as Shared},
    middleware::Next,
    response::Response,
};

use crate::{
    State,
    error::{Face, Fault},
};

pub async fn limit(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    // Held until the response begins: open event streams do not count, their connections do.
    let Ok(_permit) = state.requests.try_acquire() else {
        state.metrics.rejections.count("requests");
        return Fault::Overloaded.on(Face::of(request.uri().path()));
    };
    next.run(request).await
}
