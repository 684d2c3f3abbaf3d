//! `POST /authorize/consent`: what the user decided on the consent page.

use axum::{extract, response::Response};
use everything_proto::auth::v1::{DecideConsentRequest, decide_consent_response::Outcome};
use http::StatusCode;

use super::{
    cookie, outcome,
    parameters::{Form, value},
};
use crate::{
    State,
    error::{Face, Fault},
};

pub async fn post(extract::State(state): extract::State<State>, form: Form) -> Response {
    decide(&state, form)
        .await
        .unwrap_or_else(|status| Fault::from_status(&status).on(Face::Page))
}

async fn decide(state: &State, form: Form) -> Result<Response, tonic::Status> {
    let request = DecideConsentRequest {
        transaction: value(&form.parameters, "transaction").to_owned(),
        csrf_token: value(&form.parameters, "csrf_token").to_owned(),
        // Anything but a clear yes is a no.
        approved: value(&form.parameters, "decision") == "approve",
        browser_session: cookie::read(&form.headers, &state.config.base),
        address: Some(form.address),
    };
    let answer = state.clients.auth()?.decide_consent(request).await?.into_inner();
    Ok(match answer.outcome {
        Some(Outcome::Redirect(redirect)) => outcome::redirect(state, StatusCode::SEE_OTHER, &redirect),
        Some(Outcome::ErrorPage(page)) => outcome::error_page(&page),
        None => outcome::undecided(Face::Page),
    })
}
