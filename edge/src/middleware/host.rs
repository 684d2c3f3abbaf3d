//! Refuses requests that were addressed to some other name: a page whose DNS name was rebound to this machine sends its
//! own (MCP "Streamable HTTP", security warning).

use axum::{
    extract::{Request, State as Shared},
    middleware::Next,
    response::Response,
};
use http::{
    Uri,
    header::{HOST, HeaderMap},
};

use crate::{
    State,
    error::{Face, Fault},
};

pub async fn check(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    let face = Face::of(request.uri().path());
    match authority(request.uri(), request.headers()) {
        None => Fault::BadHost.on(face),
        Some(authority) if !state.config.hosts.allows(authority, &state.config.base) => {
            Fault::ForeignHost.on(face)
        }
        Some(_) => next.run(request).await,
    }
}

/// Whom the request is addressed to: `:authority` of HTTP/2, or the absolute form's authority, before `Host`
/// (RFC 9112 section 3.2.2). None: it is missing or ambiguous.
pub fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(host), None) => Some(host.to_str().ok()?),
        (Some(_), Some(_)) => return None,
    };
    match (uri.authority(), host) {
        // Proxies route by the one and applications by the other: they must not differ.
        (Some(authority), Some(host)) => authority.as_str().eq_ignore_ascii_case(host).then_some(host),
        (Some(authority), None) => Some(authority.as_str()),
        (None, host) => host,
    }
}
