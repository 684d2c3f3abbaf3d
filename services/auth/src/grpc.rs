//! The gRPC face: translates, calls, translates.

use std::net::IpAddr;

use everything_proto::auth::v1::{self as proto};

use crate::authorization::{Browser, Redirect};
use crate::client::authentication::{BasicCredentials, ClientRequest};
use crate::dpop::DpopProof;
use crate::introspection::Active;
use crate::oauth_error::{ErrorPage, OAuthError};
use crate::parameters::Parameters;
use crate::secret::Secret;

pub(crate) mod auth_service;
pub(crate) mod external_service;
pub(crate) mod fake_upstream_service;

fn parameters(pairs: Vec<proto::Parameter>) -> Parameters {
    Parameters::new(pairs.into_iter().map(|pair| (pair.name, pair.value)).collect())
}

/// A form that a client sent.
fn client_request(
    pairs: Vec<proto::Parameter>,
    authentication: Option<proto::ClientAuthentication>,
    from: Option<&proto::ClientAddress>,
) -> ClientRequest {
    ClientRequest {
        parameters: parameters(pairs),
        basic: basic(authentication),
        address: address(from),
    }
}

/// What is no address is as good as unknown: the edge has read it from a socket or a trusted proxy.
fn address(address: Option<&proto::ClientAddress>) -> Option<IpAddr> {
    address.and_then(|address| address.ip.parse().ok())
}

fn proof(proof: Option<proto::DpopProof>) -> Option<DpopProof> {
    proof.map(|proof| DpopProof {
        proof: proof.proof,
        method: proof.http_method,
        uri: proof.http_uri,
    })
}

fn basic(authentication: Option<proto::ClientAuthentication>) -> Option<BasicCredentials> {
    let credentials = authentication?.basic?;
    let client_secret = Secret::new(credentials.client_secret);
    Some(BasicCredentials {
        client_id: credentials.client_id,
        client_secret,
    })
}

/// Proto3 has no absent string: empty is none.
fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn oauth_error(error: OAuthError) -> proto::OAuthError {
    let seconds = error.retry_after.map_or(0, |wait| wait.as_secs().max(1));
    proto::OAuthError {
        error: error.code.as_str().to_owned(),
        error_description: error.description.into_owned(),
        retry_after_s: u32::try_from(seconds).unwrap_or(u32::MAX),
        dpop_nonce: error.dpop_nonce.unwrap_or_default(),
    }
}

fn error_page(page: ErrorPage) -> proto::ErrorPage {
    proto::ErrorPage {
        status: u32::from(page.status),
        title: page.title.to_owned(),
        message: page.message.into_owned(),
    }
}

fn redirect(redirect: Redirect) -> proto::Redirect {
    let (browser_session, browser_session_max_age_s) = cookie(redirect.browser);
    proto::Redirect {
        location: redirect.location,
        browser_session,
        browser_session_max_age_s,
    }
}

fn cookie(browser: Option<Browser>) -> (String, u32) {
    match browser {
        Some(browser) => (
            browser.session.expose().to_owned(),
            u32::try_from(browser.max_age_s).unwrap_or(u32::MAX),
        ),
        None => (String::new(), 0),
    }
}

fn active(token: Active, issuer: &str) -> proto::IntrospectResponse {
    let token_type = if token.jkt.is_some() { "DPoP" } else { "Bearer" };
    proto::IntrospectResponse {
        active: true,
        user_id: token.user_id,
        client_id: token.client_id,
        scopes: token.scopes,
        audience: token.audience,
        issuer: issuer.to_owned(),
        expires_at: seconds(token.expires_at),
        issued_at: seconds(token.issued_at),
        token_type: token_type.to_owned(),
        jkt: token.jkt.unwrap_or_default(),
        grant_id: token.grant_id,
        error: None,
    }
}

fn seconds(unix: u64) -> i64 {
    i64::try_from(unix).unwrap_or(i64::MAX)
}
