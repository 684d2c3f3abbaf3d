//! `POST /par`: pushed authorization requests (RFC 9126).

use axum::{extract, response::Response};
use everything_proto::auth::v1::{BeginAuthorizationRequest, begin_authorization_response::Outcome};
use http::StatusCode;
use serde_json::json;

use super::{client_authentication, outcome, parameters::Form};
use crate::{
    State,
    error::{Face, Fault},
};

pub async fn post(extract::State(state): extract::State<State>, form: Form) -> Response {
    push(&state, form)
        .await
        .unwrap_or_else(|status| Fault::from_status(&status).on(Face::OAuth))
}

async fn push(state: &State, form: Form) -> Result<Response, tonic::Status> {
    let client_authentication = match client_authentication::read(&form.headers) {
        Ok(authentication) => authentication,
        Err(error) => return Ok(outcome::error(&error)),
    };
    let request = BeginAuthorizationRequest {
        parameters: form.parameters,
        browser_session: String::new(),
        address: Some(form.address),
        pushed: true,
        client_authentication: Some(client_authentication),
    };
    let answer = state
        .clients
        .auth()?
        .begin_authorization(request)
        .await?
        .into_inner();
    Ok(match answer.outcome {
        Some(Outcome::Pushed(pushed)) => {
            let body = json!({ "request_uri": pushed.request_uri, "expires_in": pushed.expires_in_s });
            outcome::json(StatusCode::CREATED, body.to_string())
        }
        Some(Outcome::Error(error)) => outcome::error(&error),
        Some(Outcome::Consent(_) | Outcome::Redirect(_) | Outcome::ErrorPage(_)) | None => {
            outcome::undecided(Face::OAuth)
        }
    })
}
