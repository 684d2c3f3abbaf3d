//! `GET /authorize`: the authorization endpoint (RFC 6749 section 3.1).

use axum::{extract, response::Response};
use everything_proto::auth::v1::{BeginAuthorizationRequest, begin_authorization_response::Outcome};
use http::StatusCode;

use super::{
    cookie, outcome,
    parameters::{Query, value},
};
use crate::{
    State,
    error::{Face, Fault},
    pages,
};

pub async fn get(extract::State(state): extract::State<State>, query: Query) -> Response {
    begin(&state, query)
        .await
        .unwrap_or_else(|status| Fault::from_status(&status).on(Face::Page))
}

async fn begin(state: &State, query: Query) -> Result<Response, tonic::Status> {
    // The consent page's policy must let its form lead to the client.
    let redirect_uri = value(&query.parameters, "redirect_uri").to_owned();
    let request = BeginAuthorizationRequest {
        browser_session: cookie::read(&query.headers, &state.config.base),
        parameters: query.parameters,
        address: Some(query.address),
        pushed: false,
        client_authentication: None,
    };
    let answer = state
        .clients
        .auth()?
        .begin_authorization(request)
        .await?
        .into_inner();
    Ok(match answer.outcome {
        Some(Outcome::Consent(prompt)) => {
            let mut response = pages::consent::page(&prompt, &redirect_uri, &state.config.base);
            let (session, max_age_s) = (&prompt.browser_session, prompt.browser_session_max_age_s);
            outcome::bind(state, &mut response, session, max_age_s);
            response
        }
        Some(Outcome::Redirect(redirect)) => outcome::redirect(state, StatusCode::FOUND, &redirect),
        Some(Outcome::ErrorPage(page)) => outcome::error_page(&page),
        Some(Outcome::Error(error)) => pages::error::page(
            StatusCode::BAD_REQUEST,
            "This login cannot start",
            &error.error_description,
        ),
        Some(Outcome::Pushed(_)) | None => outcome::undecided(Face::Page),
    })
}
