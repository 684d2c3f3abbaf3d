//! `POST /introspect`: token introspection (RFC 7662), for clients that prove who they are.

use axum::{extract, response::Response};
use everything_proto::auth::v1::{IntrospectRequest, IntrospectResponse, introspect_request::Caller};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    client_authentication, outcome,
    parameters::{Form, value},
};
use crate::{
    State,
    error::{Face, Fault},
};

pub async fn post(extract::State(state): extract::State<State>, form: Form) -> Response {
    introspect(&state, form)
        .await
        .unwrap_or_else(|status| Fault::from_status(&status).on(Face::OAuth))
}

async fn introspect(state: &State, form: Form) -> Result<Response, tonic::Status> {
    let client_authentication = match client_authentication::read(&form.headers) {
        Ok(authentication) => authentication,
        Err(error) => return Ok(outcome::error(&error)),
    };
    let request = IntrospectRequest {
        token: value(&form.parameters, "token").to_owned(),
        caller: Some(Caller::ClientAuthentication(client_authentication)),
        parameters: form.parameters,
        address: Some(form.address),
        dpop: None,
    };
    let answer = state.clients.auth()?.introspect(request).await?.into_inner();
    Ok(match &answer.error {
        Some(error) => outcome::error(error),
        None => outcome::json(StatusCode::OK, claims(&answer).to_string()),
    })
}

/// RFC 7662 section 2.2: of a token that is not active, nothing else is said.
fn claims(answer: &IntrospectResponse) -> Value {
    if !answer.active {
        return json!({ "active": false });
    }
    let mut claims = json!({
        "active": true,
        "scope": answer.scopes.join(" "),
        "client_id": answer.client_id,
        "sub": answer.user_id,
        "token_type": answer.token_type,
        "exp": answer.expires_at,
        "iat": answer.issued_at,
        "iss": answer.issuer,
        "aud": answer.audience,
    });
    if !answer.jkt.is_empty() {
        // RFC 9449 section 6.2.
        claims["cnf"] = json!({ "jkt": answer.jkt });
    }
    claims
}
