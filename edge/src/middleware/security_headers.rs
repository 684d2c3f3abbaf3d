//! What browsers are told to refuse.

use axum::{
    extract::{Request, State as Shared},
    middleware::Next,
    response::Response,
};
use http::{
    HeaderName, HeaderValue,
    header::{
        CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
        X_FRAME_OPTIONS,
    },
};

use crate::State;

const HEADERS: [(HeaderName, &str); 5] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // For browsers that do not know frame-ancestors.
    (X_FRAME_OPTIONS, "DENY"),
    // Not no-referrer: under it Chromium posts our own forms with `Origin: null`, and honest users are refused.
    (REFERRER_POLICY, "same-origin"),
    // Pages say more themselves; anything else has nothing that a browser should run or frame.
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    ),
    // No Cross-Origin-Opener-Policy: browser clients open the login in a window of their own and hear back from it.
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()",
    ),
];

/// Two years, as preload lists ask for. Without subdomains, which are not ours to bind.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000");

pub async fn add(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if state.config.base.is_https() {
        headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}
