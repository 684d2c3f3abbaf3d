//! Lets pages of allowed origins read answers. Whom the origin check lets through, CORS does too.

use std::time::Duration;

use http::{HeaderName, Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::trace::REQUEST_ID;
use crate::State;

/// Headers of answers that browser clients need and would not see otherwise.
const EXPOSED: [HeaderName; 11] = [
    HeaderName::from_static("mcp-session-id"),
    HeaderName::from_static("mcp-protocol-version"),
    header::WWW_AUTHENTICATE,
    header::RETRY_AFTER,
    header::LOCATION,
    HeaderName::from_static("dpop-nonce"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("traceparent"),
    REQUEST_ID,
];

pub fn layer(state: &State) -> CorsLayer {
    let config = state.config.clone();
    let allowed = AllowOrigin::predicate(move |origin, _| {
        origin
            .to_str()
            .is_ok_and(|origin| config.origins.allows(origin, &config.base))
    });
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        // Revisions add headers, and tools name their own (`Mcp-Param-…`); none of them is a credential of the browser.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        // Tokens are sent by the page itself. Cookies belong to our own pages and are not let in.
        .allow_credentials(false)
        .max_age(Duration::from_secs(600))
}
