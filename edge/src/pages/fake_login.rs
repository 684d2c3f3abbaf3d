//! The fake identity provider's page: a user id, kept in the browser's localStorage, that can be edited or regenerated.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::{FormAction, render};

#[derive(Template)]
#[template(path = "fake_login.html")]
struct FakeLogin {
    action: String,
}

/// `query` is what the provider was asked; the form sends it back.
pub fn page(query: &str) -> Response {
    let action = format!("/fakeupstreamauth/authorize?{query}");
    // It leads through the callback to the client, whom this provider does not know.
    render(StatusCode::OK, &FakeLogin { action }, FormAction::Anywhere)
}
