//! A little OAuth provider where anybody logs in as anybody, for local use.
//!
//! It is spoken to like a real one: an authorization endpoint (the page that the edge serves), a token endpoint that
//! checks PKCE, and a user information endpoint, the latter two over [`HttpClient`] without leaving the process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use super::http::{HttpClient, HttpError};
use super::oauth::{OAuthProvider, OAuthUpstream};
use crate::config::Settings;
use crate::config::upstream::{UpstreamAuthentication, UpstreamEndpoints};
use crate::error::Error;
use crate::oauth_error::{ErrorPage, Failure};
use crate::parameters::Parameters;
use crate::pkce::Challenge;
use crate::secret::Secret;
use crate::store::{Space, Store};
use crate::vault::{Record, Vault};

const CLIENT_ID: &str = "everything-auth";
const AUTHORIZE: &str = "/fakeupstreamauth/authorize";
const TOKEN: &str = "/fakeupstreamauth/token";
const USERINFO: &str = "/fakeupstreamauth/userinfo";
const REDIRECT: &str = "/fakeupstreamauth/redirect";
/// Codes and tokens are used within the request that got them.
const TTL: Duration = Duration::from_secs(60);
const MAX_USER_ID: usize = 128;

/// The provider. Its codes live in the store, since any replica may redeem them.
#[derive(Clone)]
pub struct FakeProvider {
    vault: Vault,
    issuer: String,
}

/// Kept under the code.
#[derive(Serialize, Deserialize)]
struct FakeCode {
    user_id: String,
    challenge: Challenge,
}

/// Kept under the access token.
#[derive(Serialize, Deserialize)]
struct FakeToken {
    user_id: String,
}

impl Record for FakeCode {
    const SPACE: Space = Space::FakeCode;
}

impl Record for FakeToken {
    const SPACE: Space = Space::FakeToken;
}

impl FakeProvider {
    pub fn new(settings: &Settings, store: Arc<dyn Store>) -> Self {
        Self {
            vault: Vault::new(store),
            issuer: settings.issuer.clone(),
        }
    }

    /// The authorization server's view of this provider.
    pub(crate) fn upstream(&self) -> Result<OAuthUpstream, Error> {
        let url =
            |path| Url::parse(&self.at(path)).map_err(|error| Error::Settings(format!("BASE_URI: {error}")));
        let provider = OAuthProvider {
            endpoints: UpstreamEndpoints::Known {
                authorization: url(AUTHORIZE)?,
                token: url(TOKEN)?,
                userinfo: url(USERINFO)?,
            },
            client_id: CLIENT_ID.to_owned(),
            client_secret: None,
            authentication: UpstreamAuthentication::Post,
            redirect_uri: self.at(REDIRECT),
            scopes: Vec::new(),
            user_id_claim: "sub".to_owned(),
        };
        OAuthUpstream::new(provider, Arc::new(self.clone()))
    }

    /// The person picked an id: answers the address, with a code, to send the browser to.
    pub async fn authorize(
        &self,
        parameters: &Parameters,
        user_id: &str,
    ) -> Result<String, Failure<ErrorPage>> {
        let refuse =
            |message: &'static str| Err(Failure::Refused(ErrorPage::new(400, "Login failed", message)));
        if let Err(error) = parameters.check() {
            return Err(Failure::Refused(ErrorPage::new(
                400,
                "Login failed",
                error.description,
            )));
        }
        // One client with one redirect address, both known: nothing of the request decides where the browser goes.
        let known_client = parameters.get("client_id") == Some(CLIENT_ID);
        if !known_client
            || parameters
                .get("redirect_uri")
                .is_some_and(|uri| uri != self.at(REDIRECT))
        {
            return refuse(
                "This login was not started by this server. Go back to your application and try again.",
            );
        }
        let challenge = match (
            parameters.get("code_challenge_method"),
            parameters.get("code_challenge"),
        ) {
            (Some("S256"), Some(challenge)) => Challenge::parse(challenge),
            _ => None,
        };
        let (Some(challenge), Some("code"), Some(state)) = (
            challenge,
            parameters.get("response_type"),
            parameters.get("state"),
        ) else {
            return refuse("This login link is incomplete. Go back to your application and try again.");
        };
        let user_id = user_id.trim();
        if !is_user_id(user_id) {
            return refuse("A user id is 1 to 128 letters, digits or any of - _ . @ +");
        }
        let code = Secret::generate("fake_code_")?;
        self.vault
            .put(
                &code,
                &FakeCode {
                    user_id: user_id.to_owned(),
                    challenge,
                },
                TTL,
            )
            .await?;
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", code.expose())
            .append_pair("state", state)
            .finish();
        Ok(format!("{}?{query}", self.at(REDIRECT)))
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    async fn token(&self, body: &[u8]) -> Result<serde_json::Value, FakeError> {
        let parameters = Parameters::new(form_urlencoded::parse(body).into_owned().collect());
        parameters
            .check()
            .map_err(|_| FakeError::Refused("invalid_request"))?;
        if parameters.get("grant_type") != Some("authorization_code") {
            return Err(FakeError::Refused("unsupported_grant_type"));
        }
        let known = parameters.get("client_id") == Some(CLIENT_ID);
        if !known || parameters.get("redirect_uri") != Some(&self.at(REDIRECT)) {
            return Err(FakeError::Refused("invalid_grant"));
        }
        let (Some(code), Some(verifier)) = (parameters.get("code"), parameters.get("code_verifier")) else {
            return Err(FakeError::Refused("invalid_request"));
        };
        let code: Option<FakeCode> = self.vault.take(&Secret::new(code)).await?;
        let Some(code) = code.filter(|code| code.challenge.is_met_by(verifier)) else {
            return Err(FakeError::Refused("invalid_grant"));
        };
        let token = Secret::generate("fake_at_")?;
        self.vault
            .put(
                &token,
                &FakeToken {
                    user_id: code.user_id,
                },
                TTL,
            )
            .await?;
        Ok(json!({"access_token": token.expose(), "token_type": "Bearer", "expires_in": TTL.as_secs()}))
    }

    async fn userinfo(&self, authorization: Option<&str>) -> Result<serde_json::Value, FakeError> {
        let token = authorization.and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or(FakeError::Refused("invalid_token"))?;
        let token: Option<FakeToken> = self.vault.take(&Secret::new(token)).await?;
        let token = token.ok_or(FakeError::Refused("invalid_token"))?;
        Ok(json!({"sub": token.user_id}))
    }
}

/// Why the token or user information endpoint does not answer 200.
enum FakeError {
    Refused(&'static str),
    Fault(Error),
}

impl From<Error> for FakeError {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

/// No colon: such ids are ours (see `CLIENT_SUBJECT_PREFIX`).
fn is_user_id(text: &str) -> bool {
    (1..=MAX_USER_ID).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte))
}

#[async_trait]
impl HttpClient for FakeProvider {
    async fn send(&self, request: ::http::Request<Vec<u8>>) -> Result<::http::Response<Vec<u8>>, HttpError> {
        let uri = request.uri().to_string();
        let answer = if uri == self.at(TOKEN) {
            self.token(request.body()).await
        } else if uri == self.at(USERINFO) {
            let authorization = request.headers().get(::http::header::AUTHORIZATION);
            self.userinfo(authorization.and_then(|value| value.to_str().ok()))
                .await
        } else {
            return Err(HttpError("the fake provider has no such endpoint".to_owned()));
        };
        let (status, body) = match answer {
            Ok(body) => (200, body),
            Err(FakeError::Refused(error)) => (400, json!({"error": error})),
            Err(FakeError::Fault(error)) => return Err(HttpError(error.to_string())),
        };
        ::http::Response::builder()
            .status(status)
            .header(::http::header::CONTENT_TYPE, "application/json")
            .body(body.to_string().into_bytes())
            .map_err(|error| HttpError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::store::MemoryStore;
    use crate::upstream::{Upstream as _, UpstreamError};

    fn provider() -> FakeProvider {
        let settings = Settings::new(&"http://localhost:3232".parse().unwrap(), &Config::default()).unwrap();
        FakeProvider::new(&settings, Arc::new(MemoryStore::new()))
    }

    fn parameters_of(url: &str) -> Parameters {
        Parameters::new(url::Url::parse(url).unwrap().query_pairs().into_owned().collect())
    }

    fn secret() -> Secret {
        Secret::generate("").unwrap()
    }

    async fn log_in(provider: &FakeProvider, verifier: &Secret, user: &str) -> Secret {
        let upstream = provider.upstream().unwrap();
        let request = parameters_of(&upstream.authorize_url(&secret(), verifier).await.unwrap());
        let back = provider.authorize(&request, user).await.unwrap();
        assert!(
            back.starts_with("http://localhost:3232/fakeupstreamauth/redirect?code="),
            "{back}"
        );
        Secret::new(parameters_of(&back).get("code").unwrap())
    }

    #[tokio::test]
    async fn the_id_that_was_typed_comes_back_once() {
        let provider = provider();
        let verifier = secret();
        let code = log_in(&provider, &verifier, " alice@example.com ").await;
        let upstream = provider.upstream().unwrap();
        assert_eq!(
            upstream.identify(&code, &verifier).await.unwrap().0,
            "alice@example.com"
        );
        assert!(matches!(
            upstream.identify(&code, &verifier).await,
            Err(UpstreamError::Rejected(_))
        ));
    }

    #[tokio::test]
    async fn a_code_needs_its_verifier() {
        let provider = provider();
        let code = log_in(&provider, &secret(), "alice").await;
        let upstream = provider.upstream().unwrap();
        assert!(matches!(
            upstream.identify(&code, &secret()).await,
            Err(UpstreamError::Rejected(_))
        ));
    }

    #[tokio::test]
    async fn a_request_that_is_not_ours_or_a_bad_id_gets_a_page() {
        let provider = provider();
        let upstream = provider.upstream().unwrap();
        let ours = upstream.authorize_url(&secret(), &secret()).await.unwrap();
        for (url, user) in [
            (ours.replace("everything-auth", "other"), "alice"),
            (ours.replace("fakeupstreamauth%2Fredirect", "elsewhere"), "alice"),
            (ours.replace("S256", "plain"), "alice"),
            (ours.clone(), ""),
            (ours.clone(), "client:x"),
            (ours.clone(), "<script>"),
            (ours.clone(), "x y"),
        ] {
            let outcome = provider.authorize(&parameters_of(&url), user).await;
            assert!(matches!(outcome, Err(Failure::Refused(_))), "{url} {user}");
        }
    }
}
