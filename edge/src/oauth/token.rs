//! `POST /token`: the token endpoint, all grants (RFC 6749 section 3.2).

use axum::{extract, response::Response};
use everything_proto::auth::v1::{ExchangeTokenRequest, OAuthError, exchange_token_response::Outcome};
use http::StatusCode;

use super::{client_authentication, outcome, parameters::Form};
use crate::{
    State,
    authentication::credentials,
    error::{Face, Fault},
};

pub async fn post(extract::State(state): extract::State<State>, form: Form) -> Response {
    exchange(&state, form)
        .await
        .unwrap_or_else(|status| Fault::from_status(&status).on(Face::OAuth))
}

async fn exchange(state: &State, form: Form) -> Result<Response, tonic::Status> {
    let client_authentication = match client_authentication::read(&form.headers) {
        Ok(authentication) => authentication,
        Err(error) => return Ok(outcome::error(&error)),
    };
    let dpop = if form.headers.contains_key("dpop") {
        let Ok(proof) = credentials::proof(&form.method, &form.uri, &form.headers, &state.config.base) else {
            return Ok(outcome::error(&OAuthError {
                error: "invalid_dpop_proof".to_owned(),
                error_description: "send one DPoP proof".to_owned(),
                ..OAuthError::default()
            }));
        };
        Some(proof)
    } else {
        None
    };
    let request = ExchangeTokenRequest {
        parameters: form.parameters,
        client_authentication: Some(client_authentication),
        dpop,
        address: Some(form.address),
    };
    let answer = state.clients.auth()?.exchange_token(request).await?.into_inner();
    Ok(match answer.outcome {
        Some(Outcome::TokenJson(token)) => outcome::json(StatusCode::OK, token),
        Some(Outcome::Error(error)) => outcome::error(&error),
        None => outcome::undecided(Face::OAuth),
    })
}
