//! What the auth service decided, as HTTP.

use axum::response::{IntoResponse, Response};
use everything_proto::auth::v1::{ErrorPage, OAuthError, Redirect};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, LOCATION, PRAGMA, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE},
};
use serde_json::json;

use super::cookie;
use crate::{
    State,
    error::{Face, Fault, json_response},
    pages,
};

/// An OAuth error response (RFC 6749 section 5.2).
pub fn error(error: &OAuthError) -> Response {
    let status = status_of(error);
    let mut body = json!({ "error": error.error });
    if !error.error_description.is_empty() {
        body["error_description"] = error.error_description.clone().into();
    }
    let mut response = json(status, body.to_string());
    let headers = response.headers_mut();
    limited(headers, error.retry_after_s);
    if let Ok(nonce) = HeaderValue::from_str(&error.dpop_nonce)
        && !nonce.is_empty()
    {
        headers.insert("dpop-nonce", nonce);
    }
    match error.error.as_str() {
        "invalid_client" => {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"oauth\", charset=\"UTF-8\""),
            );
        }
        "invalid_token" => {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer error=\"invalid_token\""),
            );
        }
        _ => {}
    }
    response
}

/// What a caller that asked too often is told. 0: it did not.
///
/// `RateLimit` (draft-ietf-httpapi-ratelimit-headers) says the same to clients that know no `Retry-After`: nothing is
/// left, and how long that stays so.
pub fn limited(headers: &mut HeaderMap, retry_after_s: u32) {
    if retry_after_s == 0 {
        return;
    }
    headers.insert(RETRY_AFTER, HeaderValue::from(retry_after_s));
    if let Ok(value) = HeaderValue::try_from(format!("\"oauth\";r=0;t={retry_after_s}")) {
        headers.insert("ratelimit", value);
    }
}

fn status_of(error: &OAuthError) -> StatusCode {
    match error.error.as_str() {
        "invalid_client" | "invalid_token" => StatusCode::UNAUTHORIZED,
        "access_denied" | "insufficient_scope" => StatusCode::FORBIDDEN,
        "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
        "temporarily_unavailable" if error.retry_after_s == 0 => StatusCode::SERVICE_UNAVAILABLE,
        // Whatever it is called, something to wait for is a rate limit.
        _ if error.retry_after_s > 0 => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// JSON that holds, or could hold, credentials (RFC 6749 section 5.1).
pub fn json(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    let mut response = json_response(status, body);
    response
        .headers_mut()
        .insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// Sends the browser on. After a POST it must be `SEE_OTHER`, so that the form is not sent along.
pub fn redirect(state: &State, status: StatusCode, redirect: &Redirect) -> Response {
    let Ok(location) = HeaderValue::from_str(&redirect.location) else {
        tracing::error!("the auth service redirects to what is no address");
        return Fault::Internal.on(Face::Page);
    };
    let no_store = HeaderValue::from_static("no-store");
    let mut response = (status, [(LOCATION, location), (CACHE_CONTROL, no_store)]).into_response();
    bind(
        state,
        &mut response,
        &redirect.browser_session,
        redirect.browser_session_max_age_s,
    );
    response
}

/// Sets the login cookie, if there is one to set.
pub fn bind(state: &State, response: &mut Response, browser_session: &str, max_age_s: u32) {
    if let Some(value) = cookie::write(&state.config.base, browser_session, max_age_s) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

pub fn error_page(page: &ErrorPage) -> Response {
    let status = u16::try_from(page.status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.filter(|status| status.is_client_error() || status.is_server_error());
    pages::error::page(
        status.unwrap_or(StatusCode::BAD_REQUEST),
        &page.title,
        &page.message,
    )
}

/// An answer without a decision breaks the contract.
pub fn undecided(face: Face) -> Response {
    tracing::error!("the auth service answered without an outcome");
    Fault::Internal.on(face)
}
