//! `POST /register` (RFC 7591), and `GET`, `PUT` and `DELETE /register/{client_id}` (RFC 7592).

use axum::{
    extract::{self, FromRequest, Path, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use everything_proto::auth::v1::{
    ClientAddress, OAuthError, RegisterClientRequest, register_client_request::Operation,
    register_client_response::Outcome,
};
use http::{StatusCode, header::CACHE_CONTROL};

use super::{address, outcome, parameters::is_media_type};
use crate::{
    State,
    authentication::credentials::Credentials,
    error::{Face, Fault},
    middleware::client_address::ClientIp,
};

pub async fn post(extract::State(state): extract::State<State>, document: Document) -> Response {
    let request = RegisterClientRequest {
        operation: Operation::Create.into(),
        metadata_json: document.json,
        address: Some(document.address),
        ..RegisterClientRequest::default()
    };
    register(&state, request, StatusCode::CREATED).await
}

pub async fn put(
    extract::State(state): extract::State<State>,
    Path(client_id): Path<String>,
    token: RegistrationToken,
    document: Document,
) -> Response {
    let request = RegisterClientRequest {
        operation: Operation::Update.into(),
        metadata_json: document.json,
        client_id,
        registration_access_token: token.0,
        address: Some(document.address),
    };
    register(&state, request, StatusCode::OK).await
}

pub async fn get(
    extract::State(state): extract::State<State>,
    Path(client_id): Path<String>,
    token: RegistrationToken,
    address: ClientIp,
) -> Response {
    manage(&state, Operation::Read, client_id, token, address).await
}

pub async fn delete(
    extract::State(state): extract::State<State>,
    Path(client_id): Path<String>,
    token: RegistrationToken,
    address: ClientIp,
) -> Response {
    manage(&state, Operation::Delete, client_id, token, address).await
}

async fn manage(
    state: &State,
    operation: Operation,
    client_id: String,
    token: RegistrationToken,
    address: ClientIp,
) -> Response {
    let request = RegisterClientRequest {
        operation: operation.into(),
        client_id,
        registration_access_token: token.0,
        address: Some(address.into()),
        ..RegisterClientRequest::default()
    };
    register(state, request, StatusCode::OK).await
}

async fn register(state: &State, request: RegisterClientRequest, success: StatusCode) -> Response {
    let answer = async { state.clients.auth()?.register_client(request).await }.await;
    match answer.map(|answer| answer.into_inner().outcome) {
        Ok(Some(Outcome::ClientJson(client))) => outcome::json(success, client),
        Ok(Some(Outcome::Error(error))) => outcome::error(&error),
        Ok(Some(Outcome::Deleted(_))) => {
            (StatusCode::NO_CONTENT, [(CACHE_CONTROL, "no-store")]).into_response()
        }
        Ok(None) => outcome::undecided(Face::OAuth),
        Err(status) => Fault::from_status(&status).on(Face::OAuth),
    }
}

/// A JSON body, as it came.
pub struct Document {
    json: Bytes,
    address: ClientAddress,
}

impl FromRequest<State> for Document {
    type Rejection = Response;

    async fn from_request(request: Request, state: &State) -> Result<Self, Self::Rejection> {
        if !is_media_type(request.headers(), "application/json") {
            return Err(Fault::NotJson.on(Face::OAuth));
        }
        let address = address(&request);
        let json = Bytes::from_request(request, state)
            .await
            .map_err(|_| Fault::BodyBroken.on(Face::OAuth))?;
        Ok(Self { json, address })
    }
}

/// The registration access token (RFC 7592 section 2).
pub struct RegistrationToken(String);

impl extract::FromRequestParts<State> for RegistrationToken {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        state: &State,
    ) -> Result<Self, Self::Rejection> {
        let base = &state.config.base;
        match Credentials::from_request(&parts.method, &parts.uri, &parts.headers, base) {
            Ok(Some(credentials)) => Ok(Self(credentials.token().to_owned())),
            _ => Err(outcome::error(&OAuthError {
                error: "invalid_token".to_owned(),
                error_description: "the registration access token is required".to_owned(),
                ..OAuthError::default()
            })),
        }
    }
}
