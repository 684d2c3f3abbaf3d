//! Lets only those in whom the auth service knows, and tells handlers who they are.

use axum::{
    extract::{Request, State as Shared},
    middleware::Next,
    response::Response,
};
use http::header::EXPECT;

use super::{body, client_address::ClientIp, trace};
use crate::{
    State,
    authentication::{challenge, credentials::Credentials},
    error::{Face, Fault},
};

pub async fn require(Shared(state): Shared<State>, mut request: Request, next: Next) -> Response {
    if has_token(request.uri().query().unwrap_or_default()) {
        return Fault::TokenInQuery.on(Face::Mcp);
    }
    let base = &state.config.base;
    let credentials = Credentials::from_request(request.method(), request.uri(), request.headers(), base);
    let address = ClientIp::of(request.extensions()).into();
    match state.authenticator.authenticate(credentials, address).await {
        Ok(principal) => {
            trace::Facts::of(request.extensions()).user(&principal.user_id);
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(denied) => {
            let path = request.uri().path().to_owned();
            if !request.headers().contains_key(EXPECT) {
                body::discard(request.into_body()).await;
            }
            challenge::denied(&state, &path, denied).await
        }
    }
}

fn has_token(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token")
}
