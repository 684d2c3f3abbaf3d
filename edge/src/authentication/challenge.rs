//! What a client without a good token is told: how to get one (RFC 6750 section 3, RFC 9728 section 5.1).

use std::fmt::Write;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE};

use super::Denied;
use crate::{
    State,
    error::{Face, Fault, rpc_response},
    jsonrpc::{self, INVALID_REQUEST, RequestId, RpcError},
    oauth::{
        metadata::{LEGACY_RESOURCE_METADATA_PATH, RESOURCE_METADATA_PATH},
        outcome,
    },
};

/// The response to a request that was denied on an MCP path, `path`.
pub async fn denied(state: &State, path: &str, denied: Denied) -> Response {
    match denied {
        Denied::NoToken => {
            let sentence = "an access token is required";
            respond(state, path, StatusCode::UNAUTHORIZED, "Bearer", &[], sentence).await
        }
        Denied::Malformed => {
            let sentence = "send one access token, in one Authorization header";
            let parameters = [("error", "invalid_request"), ("error_description", sentence)];
            respond(
                state,
                path,
                StatusCode::BAD_REQUEST,
                "Bearer",
                &parameters,
                sentence,
            )
            .await
        }
        Denied::Invalid => {
            let sentence = "the access token is invalid or has expired";
            let parameters = [("error", "invalid_token"), ("error_description", sentence)];
            respond(
                state,
                path,
                StatusCode::UNAUTHORIZED,
                "Bearer",
                &parameters,
                sentence,
            )
            .await
        }
        Denied::Refused(error) if error.retry_after_s > 0 => {
            let mut response = Fault::Overloaded.on(Face::Mcp);
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            outcome::limited(response.headers_mut(), error.retry_after_s);
            response
        }
        Denied::Refused(error) => {
            let sentence = "the access token's proof of possession is not accepted";
            let parameters = [("error", error.error.as_str()), ("error_description", sentence)];
            let mut response = respond(
                state,
                path,
                StatusCode::UNAUTHORIZED,
                "DPoP",
                &parameters,
                sentence,
            )
            .await;
            if let Ok(nonce) = HeaderValue::from_str(&error.dpop_nonce)
                && !error.dpop_nonce.is_empty()
            {
                response.headers_mut().insert("dpop-nonce", nonce);
            }
            response
        }
        Denied::Unknown(fault) => fault.on(Face::Mcp),
    }
}

/// The token is good, but not for the request `id` on the MCP path `path`: names the scope that is missing, so that the
/// client can ask for it.
pub async fn insufficient_scope(state: &State, path: &str, id: Option<&RequestId>, scope: &str) -> Response {
    let sentence = "the access token lacks a scope that this needs";
    let parameters = [
        ("error", "insufficient_scope"),
        ("scope", scope),
        ("error_description", sentence),
    ];
    let mut response = respond(
        state,
        path,
        StatusCode::FORBIDDEN,
        "Bearer",
        &parameters,
        sentence,
    )
    .await;
    let error = RpcError::new(INVALID_REQUEST, sentence);
    *response.body_mut() = Body::from(jsonrpc::error(id, &error));
    response
}

async fn respond(
    state: &State,
    path: &str,
    status: StatusCode,
    scheme: &str,
    parameters: &[(&str, &str)],
    sentence: &str,
) -> Response {
    let mut challenge = scheme.to_owned();
    let mut separator = " ";
    let mut add = |name: &str, value: &str| {
        // Quoted strings (RFC 9110 section 5.6.4); nothing here needs escapes, so what would is left out.
        let value = value.replace(['"', '\\'], "");
        _ = write!(challenge, "{separator}{name}=\"{value}\"");
        separator = ", ";
    };
    for (name, value) in parameters {
        add(name, value);
    }
    let metadata = match path {
        "/sse" | "/message" => LEGACY_RESOURCE_METADATA_PATH,
        _ => RESOURCE_METADATA_PATH,
    };
    add("resource_metadata", &state.config.base.join(metadata));
    if !parameters.iter().any(|(name, _)| *name == "scope")
        && let Some(scopes) = state.metadata.scopes().await
    {
        add("scope", &scopes);
    }
    let mut response = rpc_response(status, &RpcError::new(INVALID_REQUEST, sentence));
    if let Ok(challenge) = HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

impl IntoResponse for Denied {
    /// For a handler that was reached without the authentication layer, which is a bug.
    fn into_response(self) -> Response {
        tracing::error!("a handler that needs a principal was routed without authentication");
        Fault::Internal.on(Face::Mcp)
    }
}
