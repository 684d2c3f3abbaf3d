//! `GET /fakeupstreamauth/redirect`, alias `/callback`: the upstream identity provider sends the user back.

use axum::{extract, response::Response};
use everything_proto::auth::v1::{CompleteUpstreamRequest, complete_upstream_response::Outcome};
use http::StatusCode;

use super::{cookie, outcome, parameters::Query};
use crate::{
    State,
    error::{Face, Fault},
};

pub async fn get(extract::State(state): extract::State<State>, query: Query) -> Response {
    complete(&state, query)
        .await
        .unwrap_or_else(|status| Fault::from_status(&status).on(Face::Page))
}

async fn complete(state: &State, query: Query) -> Result<Response, tonic::Status> {
    let request = CompleteUpstreamRequest {
        browser_session: cookie::read(&query.headers, &state.config.base),
        parameters: query.parameters,
        address: Some(query.address),
    };
    let answer = state
        .clients
        .auth()?
        .complete_upstream(request)
        .await?
        .into_inner();
    Ok(match answer.outcome {
        Some(Outcome::Redirect(redirect)) => outcome::redirect(state, StatusCode::FOUND, &redirect),
        Some(Outcome::ErrorPage(page)) => outcome::error_page(&page),
        None => outcome::undecided(Face::Page),
    })
}
