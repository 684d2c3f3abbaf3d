//! Any OAuth 2.0 or OpenID Connect provider, by configuration.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use oauth2::basic::{BasicClient, BasicRequestTokenError};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest,
    HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse as _, TokenUrl,
};

use super::http::{HttpClient, HttpError};
use super::{Upstream, UpstreamError};
use crate::config::upstream::{UpstreamAuthentication, UpstreamEndpoints};
use crate::error::Error;
use crate::provider::Provider;
use crate::records::UserId;
use crate::secret::Secret;

/// Longest user id that is taken.
const MAX_USER_ID: usize = 255;

/// What has to be known about a provider.
pub(crate) struct OAuthProvider {
    pub endpoints: UpstreamEndpoints,
    pub client_id: String,
    pub client_secret: Option<Secret>,
    pub authentication: UpstreamAuthentication,
    pub redirect_uri: String,
    pub scopes: Vec<String>,
    /// Member of the user information that is the user id: `sub` in OpenID Connect, `id` at GitHub.
    pub user_id_claim: String,
}

/// The `oauth2` crate over an [`HttpClient`].
pub(crate) struct OAuthUpstream {
    client: BasicClient,
    redirect_uri: RedirectUrl,
    http: Arc<dyn HttpClient>,
    endpoints: Endpoints,
    scopes: Vec<String>,
    user_id_claim: String,
}

enum Endpoints {
    Known(Resolved),
    Discovered { issuer: String, provider: Provider },
}

#[derive(Clone)]
struct Resolved {
    authorization: AuthUrl,
    token: TokenUrl,
    /// Answers a JSON object about the user for a bearer token (OpenID Connect Core section 5.3, or alike).
    userinfo: String,
}

impl OAuthUpstream {
    pub fn new(provider: OAuthProvider, http: Arc<dyn HttpClient>) -> Result<Self, Error> {
        let redirect_uri = RedirectUrl::new(provider.redirect_uri)
            .map_err(|error| Error::Settings(format!("upstream redirect uri: {error}")))?;
        let mut client = BasicClient::new(ClientId::new(provider.client_id));
        if let Some(secret) = provider.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
        }
        client = match provider.authentication {
            UpstreamAuthentication::Basic => client.set_auth_type(AuthType::BasicAuth),
            UpstreamAuthentication::Post => client.set_auth_type(AuthType::RequestBody),
        };
        let endpoints = match provider.endpoints {
            UpstreamEndpoints::Known {
                authorization,
                token,
                userinfo,
            } => Endpoints::Known(Resolved {
                authorization: AuthUrl::from_url(authorization),
                token: TokenUrl::from_url(token),
                userinfo: userinfo.into(),
            }),
            UpstreamEndpoints::Discovered { issuer } => Endpoints::Discovered {
                provider: Provider::new(issuer.as_str(), Arc::clone(&http)),
                issuer: issuer.into(),
            },
        };
        let (scopes, user_id_claim) = (provider.scopes, provider.user_id_claim);
        Ok(Self {
            client,
            redirect_uri,
            http,
            endpoints,
            scopes,
            user_id_claim,
        })
    }

    async fn endpoints(&self) -> Result<Resolved, UpstreamError> {
        let provider = match &self.endpoints {
            Endpoints::Known(resolved) => return Ok(resolved.clone()),
            Endpoints::Discovered { provider, .. } => provider,
        };
        let metadata = provider.metadata().await.map_err(UpstreamError::Unavailable)?;
        let lacking =
            |what: &str| UpstreamError::Unavailable(format!("the metadata of the provider has no {what}"));
        let named = |url: &Option<String>, what| url.clone().ok_or_else(|| lacking(what));
        Ok(Resolved {
            authorization: AuthUrl::new(named(&metadata.authorization_endpoint, "authorization_endpoint")?)
                .map_err(|_| lacking("usable authorization_endpoint"))?,
            token: TokenUrl::new(named(&metadata.token_endpoint, "token_endpoint")?)
                .map_err(|_| lacking("usable token_endpoint"))?,
            userinfo: named(&metadata.userinfo_endpoint, "userinfo_endpoint")?,
        })
    }

    async fn user_id(&self, userinfo: &str, access_token: &str) -> Result<UserId, UpstreamError> {
        let unavailable = |error: &dyn std::fmt::Display| UpstreamError::Unavailable(error.to_string());
        let request = ::http::Request::get(userinfo)
            .header(::http::header::AUTHORIZATION, format!("Bearer {access_token}"))
            .header(::http::header::ACCEPT, "application/json")
            // GitHub refuses requests without one.
            .header(::http::header::USER_AGENT, "everything-auth")
            .body(Vec::new())
            .map_err(|error| UpstreamError::Rejected(format!("user information request: {error}")))?;
        let response = self
            .http
            .send(request)
            .await
            .map_err(|error| unavailable(&error))?;
        if !response.status().is_success() {
            return Err(UpstreamError::Unavailable(format!(
                "user information: http {}",
                response.status()
            )));
        }
        let claims: serde_json::Value = serde_json::from_slice(response.body())
            .map_err(|_| UpstreamError::Rejected("the user information is not json".to_owned()))?;
        user_id_of(&claims, &self.user_id_claim)
    }
}

/// An [`HttpClient`] as the `oauth2` crate wants it.
struct Bridge(Arc<dyn HttpClient>);

impl<'c> AsyncHttpClient<'c> for Bridge {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.0.send(request))
    }
}

/// Ids are strings (OpenID Connect) or numbers (GitHub).
fn user_id_of(claims: &serde_json::Value, claim: &str) -> Result<UserId, UpstreamError> {
    let rejected = |why: &str| Err(UpstreamError::Rejected(why.to_owned()));
    let id = match claims.get(claim) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Number(number)) => number.to_string(),
        _ => return rejected("the user information has no user id"),
    };
    if id.is_empty() || id.len() > MAX_USER_ID || id.chars().any(char::is_control) {
        return rejected("the user id is empty, too long or has control characters");
    }
    // Of those that stand for clients themselves.
    if id.starts_with(crate::token::CLIENT_SUBJECT_PREFIX) {
        return rejected("the user id is reserved");
    }
    Ok(UserId(id))
}

#[async_trait]
impl Upstream for OAuthUpstream {
    async fn authorize_url(&self, state: &Secret, verifier: &Secret) -> Result<String, UpstreamError> {
        let client = self
            .client
            .clone()
            .set_auth_uri(self.endpoints().await?.authorization);
        let verifier = PkceCodeVerifier::new(verifier.expose().to_owned());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let state = CsrfToken::new(state.expose().to_owned());
        let request = client
            .authorize_url(move || state)
            .set_pkce_challenge(challenge)
            .set_redirect_uri(Cow::Borrowed(&self.redirect_uri))
            .add_scopes(self.scopes.iter().cloned().map(Scope::new));
        Ok(request.url().0.into())
    }

    fn issuer(&self) -> Option<&str> {
        match &self.endpoints {
            Endpoints::Known(_) => None,
            Endpoints::Discovered { issuer, .. } => Some(issuer),
        }
    }

    async fn identify(&self, code: &Secret, verifier: &Secret) -> Result<UserId, UpstreamError> {
        let endpoints = self.endpoints().await?;
        let http = Bridge(Arc::clone(&self.http));
        let tokens = self
            .client
            .clone()
            .set_token_uri(endpoints.token)
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()))
            .set_redirect_uri(Cow::Borrowed(&self.redirect_uri))
            .request_async(&http)
            .await
            .map_err(token_error)?;
        self.user_id(&endpoints.userinfo, tokens.access_token().secret())
            .await
    }
}

/// The response body may hold secrets, so it is not part of the error.
fn token_error(error: BasicRequestTokenError<HttpError>) -> UpstreamError {
    match error {
        BasicRequestTokenError::ServerResponse(response) => {
            UpstreamError::Rejected(format!("token endpoint: {}", response.error()))
        }
        BasicRequestTokenError::Request(error) => {
            UpstreamError::Unavailable(format!("token endpoint: {error}"))
        }
        BasicRequestTokenError::Parse(error, _) => {
            UpstreamError::Unavailable(format!("token endpoint: unreadable response at {}", error.path()))
        }
        BasicRequestTokenError::Other(error) => {
            UpstreamError::Unavailable(format!("token endpoint: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn user_ids_are_strings_or_numbers_within_bounds() {
        assert_eq!(user_id_of(&json!({"sub": "alice"}), "sub").unwrap().0, "alice");
        assert_eq!(user_id_of(&json!({"id": 42}), "id").unwrap().0, "42");
        for claims in [
            json!({}),
            json!({"sub": ""}),
            json!({"sub": "a\nb"}),
            json!({"sub": "client:x"}),
            json!([1]),
        ] {
            assert!(user_id_of(&claims, "sub").is_err(), "{claims}");
        }
        assert!(user_id_of(&json!({"sub": "x".repeat(256)}), "sub").is_err());
    }
}
