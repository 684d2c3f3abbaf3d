//! `/`: what this is, and how to connect to it.

use askama::Template;
use axum::{extract, response::Response};
use http::StatusCode;

use super::{FormAction, render};
use crate::{AuthMode, State};

#[derive(Template)]
#[template(path = "splash.html")]
struct Splash<'a> {
    base: &'a str,
    mcp: String,
    sse: String,
    login: bool,
    version: &'static str,
}

pub async fn get(extract::State(state): extract::State<State>) -> Response {
    let base = &state.config.base;
    let splash = Splash {
        base: base.as_str(),
        mcp: base.join("/mcp"),
        sse: base.join("/sse"),
        login: state.config.auth != AuthMode::Disabled,
        version: env!("CARGO_PKG_VERSION"),
    };
    render(StatusCode::OK, &splash, FormAction::None)
}
