//! `/fakeupstreamauth/authorize`: the fake identity provider's login page, for local use.

use axum::{
    extract::{self, Request},
    response::Response,
};
use everything_proto::auth::v1::{FakeAuthorizeRequest, fake_authorize_response::Outcome};
use http::StatusCode;
use tonic::Code;

use super::{
    outcome,
    parameters::{self, Form, value},
};
use crate::{
    State,
    error::{Face, Fault},
    pages,
};

/// Longest user id that can be typed, bytes.
const MAX_USER_ID_BYTES: usize = 128;

pub async fn get(request: Request) -> Response {
    // The form sends the query on, so that what the provider was asked comes back with the answer.
    pages::fake_login::page(request.uri().query().unwrap_or_default())
}

pub async fn post(extract::State(state): extract::State<State>, form: Form) -> Response {
    authorize(&state, form)
        .await
        .unwrap_or_else(|status| match status.code() {
            // Another provider is configured, so the fake one is not served.
            Code::Unimplemented => Fault::NotFound.on(Face::Page),
            _ => Fault::from_status(&status).on(Face::Page),
        })
}

async fn authorize(state: &State, form: Form) -> Result<Response, tonic::Status> {
    let user_id = value(&form.parameters, "user_id").trim();
    if user_id.is_empty() || user_id.len() > MAX_USER_ID_BYTES || user_id.contains(char::is_control) {
        let message = "Go back and type a user id of 1 to 128 characters.";
        return Ok(pages::error::page(
            StatusCode::BAD_REQUEST,
            "That is not a user id",
            message,
        ));
    }
    let parameters = match parameters::parse(form.uri.query().unwrap_or_default().as_bytes()) {
        Ok(parameters) => parameters,
        Err(fault) => return Ok(fault.on(Face::Page)),
    };
    let request = FakeAuthorizeRequest {
        parameters,
        user_id: user_id.to_owned(),
    };
    let answer = state
        .clients
        .fake_upstream()?
        .authorize(request)
        .await?
        .into_inner();
    Ok(match answer.outcome {
        Some(Outcome::Redirect(redirect)) => outcome::redirect(state, StatusCode::SEE_OTHER, &redirect),
        Some(Outcome::ErrorPage(page)) => outcome::error_page(&page),
        None => outcome::undecided(Face::Page),
    })
}
