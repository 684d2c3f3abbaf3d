//! Everything that can go wrong before a handler has an answer, and how each face of the edge says so.
//!
//! The one place where a gRPC status becomes HTTP and JSON-RPC. Clients get constant sentences; internals are logged.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use serde_json::json;
use tonic::{Code, Status};

use crate::{
    jsonrpc::{INTERNAL_ERROR, INVALID_REQUEST, RpcError},
    pages,
};

/// Who is answered, and so in which words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// An MCP client: a JSON-RPC error.
    Mcp,
    /// An OAuth client: an RFC 6749 error object.
    OAuth,
    /// A person with a browser: a page.
    Page,
}

/// Why a request was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A service behind the edge does not answer.
    Unavailable,
    /// Too much to do already.
    Overloaded,
    /// A bug, here or behind.
    Internal,
    NotFound,
    MethodNotAllowed,
    BadHost,
    ForeignHost,
    ForeignOrigin,
    /// The body is longer than MAX_BODY_BYTES, or than the endpoint takes.
    BodyTooLarge,
    /// The body did not arrive in time.
    BodyTooSlow,
    /// The body ended early or was malformed.
    BodyBroken,
    /// RFC 6750 section 2.3: tokens in addresses end up in logs.
    TokenInQuery,
    /// The endpoint takes forms (`application/x-www-form-urlencoded`).
    NotAForm,
    /// The endpoint takes JSON.
    NotJson,
    /// The request's parameters cannot be read.
    BadParameters,
}

impl Face {
    /// By the path, for answers that no handler gives.
    pub fn of(path: &str) -> Self {
        match path {
            "/mcp" | "/sse" | "/message" => Self::Mcp,
            "/token" | "/register" | "/revoke" | "/introspect" | "/par" => Self::OAuth,
            _ if path.starts_with("/register/") || path.starts_with("/.well-known/") => Self::OAuth,
            _ => Self::Page,
        }
    }
}

impl Fault {
    /// Logs the status, which may name internals, and keeps only what the client may know.
    pub fn from_status(status: &Status) -> Self {
        let fault = Self::of_code(status.code());
        match fault {
            Self::Internal => {
                tracing::error!(code = ?status.code(), message = status.message(), "a service failed");
            }
            _ => {
                tracing::warn!(code = ?status.code(), message = status.message(), "a service did not answer")
            }
        }
        fault
    }

    /// Errors that a protocol defines travel in-band, so a status says that the infrastructure, or the edge, failed.
    fn of_code(code: Code) -> Self {
        match code {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Aborted => Self::Unavailable,
            Code::FailedPrecondition => Self::Unavailable,
            Code::ResourceExhausted => Self::Overloaded,
            Code::NotFound => Self::NotFound,
            Code::Ok
            | Code::Unknown
            | Code::InvalidArgument
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss
            | Code::Unauthenticated => Self::Internal,
        }
    }

    pub fn status(self) -> StatusCode {
        match self {
            Self::Unavailable | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            // RFC 6749 section 5.2 and RFC 7591 section 3.2.2 have 400 for what they cannot read.
            Self::NotAForm | Self::NotJson | Self::BadParameters => StatusCode::BAD_REQUEST,
            Self::BadHost | Self::BodyBroken | Self::TokenInQuery => StatusCode::BAD_REQUEST,
            Self::ForeignHost | Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// What the client is told. Names no internals.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Unavailable => "the server is temporarily unavailable; try again shortly",
            Self::Overloaded => "the server is busy; try again shortly",
            Self::Internal => "the server failed to process the request",
            Self::NotFound => "there is nothing here",
            Self::MethodNotAllowed => "this address does not take that method",
            Self::BadHost => "the request needs exactly one valid Host",
            Self::ForeignHost => "this server is not known by that Host",
            Self::ForeignOrigin => "pages of that Origin may not call this server",
            Self::BodyTooLarge => "the request body is too large",
            Self::BodyTooSlow => "the request body did not arrive in time",
            Self::BodyBroken => "the request body could not be read",
            Self::TokenInQuery => "access tokens belong in the Authorization header, not in the address",
            Self::NotAForm => "the body must be application/x-www-form-urlencoded",
            Self::NotJson => "the body must be application/json",
            Self::BadParameters => "the request's parameters could not be read",
        }
    }

    /// Seconds to wait, where trying again helps.
    pub fn retry_after_s(self) -> Option<u32> {
        match self {
            Self::Unavailable | Self::Overloaded => Some(1),
            Self::Internal
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::BadHost
            | Self::ForeignHost
            | Self::ForeignOrigin
            | Self::BodyTooLarge
            | Self::BodyTooSlow
            | Self::BodyBroken
            | Self::TokenInQuery
            | Self::NotAForm
            | Self::NotJson
            | Self::BadParameters => None,
        }
    }

    /// As a JSON-RPC error: the server's fault is -32603, the client's -32600.
    pub fn rpc_error(self) -> RpcError {
        let code = if self.status().is_server_error() {
            INTERNAL_ERROR
        } else {
            INVALID_REQUEST
        };
        RpcError::new(code, self.sentence())
    }

    /// The error code of RFC 6749 sections 4.1.2.1 and 5.2.
    fn oauth_error(self) -> &'static str {
        match self {
            Self::Unavailable | Self::Overloaded => "temporarily_unavailable",
            Self::Internal => "server_error",
            Self::NotFound
            | Self::MethodNotAllowed
            | Self::BadHost
            | Self::BodyTooLarge
            | Self::BodyTooSlow
            | Self::BodyBroken
            | Self::TokenInQuery
            | Self::NotAForm
            | Self::NotJson
            | Self::BadParameters => "invalid_request",
            Self::ForeignHost | Self::ForeignOrigin => "access_denied",
        }
    }

    /// The whole response, as `face` words it.
    pub fn on(self, face: Face) -> Response {
        let mut response = match face {
            Face::Mcp => rpc_response(self.status(), &self.rpc_error()),
            Face::OAuth => {
                let body = json!({ "error": self.oauth_error(), "error_description": self.sentence() });
                json_response(self.status(), body.to_string())
            }
            Face::Page => pages::error::fault(self),
        };
        if let Some(seconds) = self.retry_after_s() {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A JSON-RPC error that answers no request in particular.
pub fn rpc_response(status: StatusCode, error: &RpcError) -> Response {
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
    json_response(status, body.to_string())
}

/// JSON that no cache keeps.
pub fn json_response(status: StatusCode, body: impl Into<Body>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body.into()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_that_do_not_answer_are_503_and_name_no_internals() {
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::ResourceExhausted] {
            let fault = Fault::from_status(&Status::new(code, "no replica of everything.auth.v1 serves"));
            let response = fault.on(Face::Mcp);
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()[RETRY_AFTER], "1");
            assert_eq!(fault.rpc_error().code, -32603);
            assert!(!fault.sentence().contains("replica"));
        }
    }

    #[test]
    fn a_code_that_should_not_happen_is_500() {
        for code in [
            Code::Internal,
            Code::Unknown,
            Code::InvalidArgument,
            Code::Unimplemented,
            Code::Ok,
        ] {
            assert_eq!(Fault::of_code(code).status(), 500, "{code:?}");
        }
    }

    #[test]
    fn paths_have_faces() {
        for (path, face) in [
            ("/mcp", Face::Mcp),
            ("/message", Face::Mcp),
            ("/register/abc", Face::OAuth),
            ("/.well-known/nothing", Face::OAuth),
            ("/authorize", Face::Page),
            ("/mcp/else", Face::Page),
        ] {
            assert_eq!(Face::of(path), face, "{path}");
        }
    }
}
