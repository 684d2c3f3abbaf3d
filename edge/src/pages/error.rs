//! What went wrong, and what to do about it.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::{FormAction, render};
use crate::error::Fault;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    status: u16,
    title: &'a str,
    message: &'a str,
}

/// `title` and `message` are plain text.
pub fn page(status: StatusCode, title: &str, message: &str) -> Response {
    render(
        status,
        &ErrorPage {
            status: status.as_u16(),
            title,
            message,
        },
        FormAction::None,
    )
}

pub fn fault(fault: Fault) -> Response {
    let status = fault.status();
    match fault {
        Fault::NotFound => page(
            status,
            "Page not found",
            "There is nothing at this address. The start page lists what there is.",
        ),
        Fault::Unavailable | Fault::Overloaded => page(
            status,
            "Just a moment",
            "The server is temporarily unavailable. Reload this page in a few seconds.",
        ),
        Fault::Internal => page(
            status,
            "Something broke",
            "The server failed to process this request. Its log says more.",
        ),
        Fault::MethodNotAllowed
        | Fault::BadHost
        | Fault::ForeignHost
        | Fault::ForeignOrigin
        | Fault::BodyTooLarge
        | Fault::BodyTooSlow
        | Fault::BodyBroken
        | Fault::TokenInQuery
        | Fault::NotAForm
        | Fault::NotJson
        | Fault::BadParameters => page(status, "This request was refused", &sentence(fault)),
    }
}

/// As a sentence for people.
fn sentence(fault: Fault) -> String {
    let mut characters = fault.sentence().chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}
