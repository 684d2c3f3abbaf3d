//! What people see: templates in `templates/`, styles and scripts in `assets/`. Nothing inline, so that the content
//! security policy can forbid it.

pub mod assets;
pub mod consent;
pub mod error;
pub mod fake_login;
pub mod health;
pub mod splash;

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY},
};

/// Where the forms of a page may lead, redirects included: Chromium checks them too.
enum FormAction<'a> {
    /// The page has no form.
    None,
    /// Here, and to these source expressions.
    Sources(&'a str),
    /// Anywhere: the form ends at an address that only the auth service knows.
    Anywhere,
}

/// A page that no cache keeps, under a strict content security policy.
fn render(status: StatusCode, template: &impl Template, form_action: FormAction<'_>) -> Response {
    let html = match template.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let headers = [
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, policy(form_action)),
    ];
    (status, headers, Html(html)).into_response()
}

fn policy(form_action: FormAction<'_>) -> HeaderValue {
    let form_action = match form_action {
        FormAction::None => " form-action 'none';".to_owned(),
        FormAction::Sources(sources) => format!(" form-action 'self' {sources};"),
        FormAction::Anywhere => String::new(),
    };
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;{form_action} \
         frame-ancestors 'none'; base-uri 'none'"
    );
    // Sources are made of ASCII here; should they not be, the page works without a form.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(
        "default-src 'none'; frame-ancestors 'none'",
    ))
}

#[cfg(test)]
mod tests;
