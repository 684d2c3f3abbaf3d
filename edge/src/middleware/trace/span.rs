use axum::extract::Request;
use http::{
    Method,
    header::{HOST, USER_AGENT},
    uri::Authority,
};
use telemetry::{
    conventions::{
        general::{NETWORK_PROTOCOL_VERSION, SERVER_ADDRESS, SERVER_PORT, USER_AGENT_ORIGINAL},
        http::{
            HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL, HTTP_ROUTE, OTHER_METHOD, URL_PATH, URL_SCHEME,
        },
    },
    propagation, spans,
};
use tracing::Span;

use crate::mcp::http_version;

/// The span of an HTTP request. `scheme` is the client's: TLS may end before the edge.
pub(super) fn open(
    request: &Request,
    route: Option<&str>,
    path: &str,
    scheme: &'static str,
    request_id: &str,
) -> Span {
    let method = request.method();
    let known = if is_known(method) {
        method.as_str()
    } else {
        OTHER_METHOD
    };
    // Of a name made up by a client, nothing may get into the span's name.
    let word = if known == OTHER_METHOD { "HTTP" } else { known };
    let name = match route {
        Some(route) => format!("{word} {route}"),
        None => word.to_owned(),
    };
    let span = tracing::info_span!("http.server", otel.name = name, otel.kind = "server", request_id);
    propagation::set_parent(&span, &propagation::from_headers(request.headers()));
    spans::set(&span, HTTP_REQUEST_METHOD, known.to_owned());
    if known == OTHER_METHOD {
        spans::set_text(&span, HTTP_REQUEST_METHOD_ORIGINAL, method.as_str());
    }
    if let Some(route) = route {
        spans::set_text(&span, HTTP_ROUTE, route);
    }
    spans::set_text(&span, URL_PATH, path);
    spans::set(&span, URL_SCHEME, scheme);
    spans::set(&span, NETWORK_PROTOCOL_VERSION, http_version(request.version()));
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = header(HOST).and_then(|host| host.parse::<Authority>().ok());
    if let Some(host) = host.as_ref().or(request.uri().authority()) {
        spans::set_text(&span, SERVER_ADDRESS, host.host());
        if let Some(port) = host.port_u16() {
            spans::set(&span, SERVER_PORT, i64::from(port));
        }
    }
    if let Some(user_agent) = header(USER_AGENT) {
        spans::set_text(&span, USER_AGENT_ORIGINAL, user_agent);
    }
    span
}

fn is_known(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET
            | Method::HEAD
            | Method::POST
            | Method::PUT
            | Method::DELETE
            | Method::OPTIONS
            | Method::PATCH
            | Method::CONNECT
            | Method::TRACE
    )
}
