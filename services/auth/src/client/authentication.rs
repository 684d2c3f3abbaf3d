//! How a client proves who it is, at the token, revocation, introspection and pushed request endpoints.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::jwk::JwkSet;
use serde::Deserialize;

use super::{Client, ClientAuthentication, ClientKeys};
use crate::error::Error;
use crate::jwt;
use crate::limits::Counted;
use crate::oauth_error::{ErrorCode, Failure, OAuthError, refuse};
use crate::parameters::Parameters;
use crate::secret::{Secret, SecretHash};
use crate::server::AuthorizationServer;
use crate::store::{Claim, Key, Space};

/// RFC 7523 section 2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How far clocks may differ.
const SKEW_S: u64 = 60;
/// Longest life of an assertion that is taken; its `jti` is remembered for as long.
const MAX_ASSERTION_LIFE_S: u64 = 10 * 60;
const MAX_JTI: usize = 256;
const MAX_CLIENT_SECRET: usize = 1024;

/// A form that a client sent, and how it came.
pub struct ClientRequest {
    pub parameters: Parameters,
    pub basic: Option<BasicCredentials>,
    pub address: Option<IpAddr>,
}

/// `Authorization: Basic` credentials of a request, decoded.
pub struct BasicCredentials {
    pub client_id: String,
    pub client_secret: Secret,
}

/// Claims of a client assertion (RFC 7523 section 3).
#[derive(Deserialize)]
struct Assertion {
    iss: String,
    sub: String,
    aud: Audience,
    exp: u64,
    nbf: Option<u64>,
    iat: Option<u64>,
    jti: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What a request claims to be, before it is checked.
enum Proof<'a> {
    None,
    Secret(&'a str),
    Assertion(&'a str),
}

impl Audience {
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let audiences = match self {
            Self::One(audience) => std::slice::from_ref(audience),
            Self::Many(audiences) => audiences.as_slice(),
        };
        audiences.iter().map(String::as_str)
    }
}

/// One answer for every reason, so that nobody learns which clients exist.
fn invalid_client<T>() -> Result<T, Failure<OAuthError>> {
    refuse(ErrorCode::InvalidClient, "client authentication failed")
}

impl AuthorizationServer {
    /// The client that makes the request.
    pub(crate) async fn authenticate_client(
        &self,
        request: &ClientRequest,
    ) -> Result<Client, Failure<OAuthError>> {
        request.parameters.check().map_err(Failure::Refused)?;
        let (client_id, proof) = claimed(request)?;
        let who = || Counted::ClientAt(&client_id, request.address);
        self.admit_after_failures(who()).await?;
        if let Some(client) = self.client(&client_id).await?
            && self.proves(&client, &proof).await?
        {
            return Ok(client);
        }
        self.count_failure(who()).await?;
        invalid_client()
    }

    async fn proves(&self, client: &Client, proof: &Proof<'_>) -> Result<bool, Error> {
        match (&client.authentication, proof) {
            (ClientAuthentication::None, Proof::None) => Ok(true),
            (ClientAuthentication::Secret { hash, .. }, Proof::Secret(secret)) => {
                Ok(secret.len() <= MAX_CLIENT_SECRET && hash.matches(secret))
            }
            (ClientAuthentication::Key(keys), Proof::Assertion(assertion)) => {
                self.assertion_holds(client, keys, assertion).await
            }
            (
                ClientAuthentication::None
                | ClientAuthentication::Secret { .. }
                | ClientAuthentication::Key(_),
                _,
            ) => Ok(false),
        }
    }

    async fn assertion_holds(
        &self,
        client: &Client,
        keys: &ClientKeys,
        assertion: &str,
    ) -> Result<bool, Error> {
        let claims: Option<Assertion> = match keys {
            ClientKeys::Here(keys) => jwt::verify(assertion, keys).ok(),
            ClientKeys::At(url) => self.verified_by_document(assertion, url).await?,
        };
        let Some(claims) = claims else {
            return Ok(false);
        };
        let now = self.clock.now();
        let own = claims.iss == client.client_id.0 && claims.sub == client.client_id.0;
        // RFC 7523 section 3 names the token endpoint; newer profiles allow the issuer only. No other server's values
        // are taken, so an assertion for one cannot be used at another.
        let for_us = ["", "/token", "/introspect", "/revoke", "/par"]
            .iter()
            .any(|path| claims.aud.iter().any(|name| name == self.settings.endpoint(path)));
        let in_time = claims.exp > now.saturating_sub(SKEW_S)
            && claims.exp <= now + MAX_ASSERTION_LIFE_S + SKEW_S
            && claims.nbf.is_none_or(|nbf| nbf <= now + SKEW_S)
            && claims.iat.is_none_or(|iat| iat <= now + SKEW_S);
        if !(own && for_us && in_time) || claims.jti.is_empty() || claims.jti.len() > MAX_JTI {
            return Ok(false);
        }
        let id = SecretHash::of(&format!("assertion {} {}", client.client_id.0, claims.jti));
        let remembered = Duration::from_secs(MAX_ASSERTION_LIFE_S + 2 * SKEW_S);
        let key = Key::new(Space::Replay, id.as_str());
        let claim = self
            .vault
            .store()
            .claim(&key, Bytes::from_static(b"1"), remembered)
            .await?;
        Ok(claim == Claim::Won)
    }

    /// Keys rotate: those that are remembered are read again once when none fits.
    async fn verified_by_document(&self, assertion: &str, url: &str) -> Result<Option<Assertion>, Error> {
        for again in [false, true] {
            let keys = self.document(url, again).await?;
            let keys: Option<JwkSet> = keys.and_then(|body| serde_json::from_str(&body).ok());
            if let Some(claims) = keys.and_then(|keys| jwt::verify(assertion, &keys).ok()) {
                return Ok(Some(claims));
            }
        }
        Ok(None)
    }
}

/// Who the request says it is from, and how it wants to prove it. More than one way is refused (RFC 6749 section 2.3).
fn claimed(request: &ClientRequest) -> Result<(String, Proof<'_>), Failure<OAuthError>> {
    let parameters = &request.parameters;
    let basic = request.basic.as_ref();
    let (in_body, assertion) = (
        parameters.get("client_secret"),
        parameters.get("client_assertion"),
    );
    if usize::from(basic.is_some()) + usize::from(in_body.is_some()) + usize::from(assertion.is_some()) > 1 {
        return refuse(
            ErrorCode::InvalidRequest,
            "more than one way of client authentication was used",
        );
    }
    let (id, proof) = match (basic, in_body, assertion) {
        // An empty password in the header is how some libraries say "none".
        (Some(basic), _, _) if basic.client_secret.expose().is_empty() => {
            (Some(basic.client_id.clone()), Proof::None)
        }
        (Some(basic), _, _) => (
            Some(basic.client_id.clone()),
            Proof::Secret(basic.client_secret.expose()),
        ),
        (None, Some(secret), _) => (None, Proof::Secret(secret)),
        (None, None, Some(assertion)) => {
            if parameters.get("client_assertion_type") != Some(JWT_BEARER) {
                return refuse(
                    ErrorCode::InvalidRequest,
                    "the client_assertion_type is not supported",
                );
            }
            // Says only which client's keys to check it with.
            let claims = insecure_decode_claims::<Assertion>(assertion);
            (claims.ok().map(|claims| claims.sub), Proof::Assertion(assertion))
        }
        (None, None, None) => (None, Proof::None),
    };
    match (id, parameters.get("client_id")) {
        (Some(id), Some(named)) if id != named => {
            refuse(ErrorCode::InvalidRequest, "the client ids of the request differ")
        }
        (Some(id), _) => Ok((id, proof)),
        (None, Some(named)) => Ok((named.to_owned(), proof)),
        (None, None) => invalid_client(),
    }
}
