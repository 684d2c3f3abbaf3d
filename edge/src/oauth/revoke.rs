//! `POST /revoke`: token revocation (RFC 7009).

use axum::{
    extract,
    response::{IntoResponse, Response},
};
use everything_proto::auth::v1::RevokeRequest;
use http::{StatusCode, header::CACHE_CONTROL};

use super::{client_authentication, outcome, parameters::Form};
use crate::{
    State,
    error::{Face, Fault},
};

pub async fn post(extract::State(state): extract::State<State>, form: Form) -> Response {
    revoke(&state, form)
        .await
        .unwrap_or_else(|status| Fault::from_status(&status).on(Face::OAuth))
}

async fn revoke(state: &State, form: Form) -> Result<Response, tonic::Status> {
    let client_authentication = match client_authentication::read(&form.headers) {
        Ok(authentication) => authentication,
        Err(error) => return Ok(outcome::error(&error)),
    };
    let request = RevokeRequest {
        parameters: form.parameters,
        client_authentication: Some(client_authentication),
        address: Some(form.address),
    };
    let answer = state.clients.auth()?.revoke(request).await?.into_inner();
    Ok(match answer.error {
        Some(error) => outcome::error(&error),
        // Also where there was nothing to revoke: nobody learns which tokens exist (RFC 7009 section 2.2).
        None => (StatusCode::OK, [(CACHE_CONTROL, "no-store")]).into_response(),
    })
}
