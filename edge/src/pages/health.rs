//! `/livez`: the process answers. `/readyz`: it can do its work, or why not.

use axum::{extract, response::Response};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde_json::{Map, Value, json};
use serving::Readiness;

use crate::{State, error::json_response};

pub async fn livez() -> Response {
    json_response(StatusCode::OK, json!({ "status": "ok" }).to_string())
}

pub async fn readyz(extract::State(state): extract::State<State>) -> Response {
    let mut dependencies = Map::new();
    let mut ready = true;
    for dependency in state.dependencies.report() {
        ready &= dependency.is_ready();
        // Anybody may read this: a reason is a category, and names no internals.
        let state = match dependency.readiness {
            Readiness::Ready => "ok",
            Readiness::NotReady(reason) => reason.token(),
        };
        dependencies.insert(dependency.name.to_owned(), Value::from(state));
    }
    let status = match (ready, state.shutdown.is_cancelled()) {
        (_, true) => "shutting down",
        (true, false) => "ok",
        (false, false) => "not ready",
    };
    let body = json!({ "status": status, "dependencies": dependencies }).to_string();
    if status == "ok" {
        return json_response(StatusCode::OK, body);
    }
    let mut response = json_response(StatusCode::SERVICE_UNAVAILABLE, body);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
