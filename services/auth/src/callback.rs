//! The upstream provider sent the user back: finds out who it is, and issues our code to the client.

use bytes::Bytes;
use telemetry::conventions::hashed;

use crate::authorization::{Redirect, WayBack};
use crate::consent::{expired, other_browser};
use crate::error::Error;
use crate::oauth_error::{ErrorCode, ErrorPage, Failure, OAuthError};
use crate::parameters::Parameters;
use crate::provider::same_issuer;
use crate::records::{AuthorizationRequest, Code, Login, Terms, UserId, spent_key};
use crate::secret::Secret;
use crate::server::AuthorizationServer;
use crate::store::Claim;
use crate::upstream::UpstreamError;

/// Longer than any `state` given out.
const MAX_STATE: usize = 256;
const MAX_UPSTREAM_CODE: usize = 8 * 1024;

impl AuthorizationServer {
    /// The `state` is taken once, and only from the browser that began.
    pub async fn complete_upstream(
        &self,
        parameters: &Parameters,
        browser_session: Option<&str>,
    ) -> Result<Redirect, Failure<ErrorPage>> {
        let login = self.returning_login(parameters, browser_session).await?;
        let back = WayBack::of(&login.request);
        let client_id = login.request.client_id.clone();
        let location = match self.identify(parameters, &login).await {
            Ok(user_id) if !self.consents(&login, &user_id).await? => self.ask_again(login.request).await?,
            Ok(user_id) => {
                tracing::info!(
                    user = hashed(&user_id.0),
                    client_id = client_id.0,
                    "login succeeded"
                );
                let browser = Secret::new(browser_session.unwrap_or_default());
                self.remember(&user_id, &login.request, &browser).await?;
                self.issue_code(login.request, user_id).await?
            }
            Err(error) => {
                tracing::info!(
                    error = error.code.as_str(),
                    client_id = client_id.0,
                    "login refused"
                );
                self.error_response(&back, &error)
            }
        };
        Ok(Redirect {
            location,
            browser: None,
        })
    }

    /// Whoever came back was asked, or has allowed all of it before.
    async fn consents(&self, login: &Login, user_id: &UserId) -> Result<bool, Error> {
        match &login.consented {
            None => Ok(true),
            Some(known) if known == user_id => Ok(true),
            Some(_) => self.has_allowed(user_id, &login.request).await,
        }
    }

    async fn returning_login(
        &self,
        parameters: &Parameters,
        browser_session: Option<&str>,
    ) -> Result<Login, Failure<ErrorPage>> {
        let state = parameters
            .get("state")
            .filter(|state| state.len() <= MAX_STATE)
            .map(Secret::new);
        if parameters.check().is_err() {
            return Err(Failure::Refused(expired()));
        }
        let Some(state) = state else {
            return Err(Failure::Refused(expired()));
        };
        let login: Option<Login> = self.vault.get(&state).await?;
        let Some(login) = login else {
            return Err(Failure::Refused(expired()));
        };
        if !browser_session.is_some_and(|session| login.browser.matches(session)) {
            return Err(Failure::Refused(other_browser()));
        }
        let spent = spent_key(&state);
        let claim = self
            .vault
            .store()
            .claim(&spent, Bytes::from_static(b"1"), self.spent_login_ttl())
            .await?;
        match claim {
            Claim::Won => Ok(login),
            Claim::Lost(_) => Err(Failure::Refused(expired())),
        }
    }

    async fn identify(&self, parameters: &Parameters, login: &Login) -> Result<UserId, OAuthError> {
        let failed = |why: &'static str| Err(ErrorCode::AccessDenied.because(why));
        match parameters.get("error") {
            None => {}
            Some("access_denied") => return failed("the login was cancelled at the identity provider"),
            Some("temporarily_unavailable") => {
                return Err(ErrorCode::TemporarilyUnavailable.because("the identity provider is unavailable"));
            }
            Some(_) => {
                return Err(ErrorCode::ServerError.because("the identity provider answered with an error"));
            }
        }
        if let (Some(expected), Some(named)) = (self.upstream.issuer(), parameters.get("iss"))
            && !same_issuer(expected, named)
        {
            return failed("the answer came from another identity provider");
        }
        let Some(code) = parameters
            .get("code")
            .filter(|code| code.len() <= MAX_UPSTREAM_CODE)
        else {
            return failed("the identity provider sent no code");
        };
        let verifier = Secret::new(login.verifier.as_str());
        self.upstream
            .identify(&Secret::new(code), &verifier)
            .await
            .map_err(|error| match error {
                UpstreamError::Rejected(reason) => {
                    tracing::warn!(reason, "the identity provider did not confirm the login");
                    ErrorCode::AccessDenied.because("the identity provider did not confirm the login")
                }
                UpstreamError::Unavailable(reason) => {
                    tracing::warn!(reason, "the identity provider is unavailable");
                    ErrorCode::TemporarilyUnavailable.because("the identity provider is unavailable")
                }
            })
    }

    /// Answers the authorization response, with `iss` (RFC 9207).
    async fn issue_code(&self, request: AuthorizationRequest, user_id: UserId) -> Result<String, Error> {
        // A second use is recognised as long as the access token of the first may live.
        let remembered = self.settings.authorization_code_ttl + self.settings.access_token_ttl;
        let grant_id = self.new_grant(remembered).await?;
        let code = Secret::generate("mcp_code_")?;
        let back = WayBack::of(&request);
        let record = Code {
            terms: Terms {
                grant_id,
                user_id,
                client_id: request.client_id,
                scopes: request.scopes,
                audience: request.audience,
                jkt: request.dpop_jkt,
            },
            redirect_uri: request.redirect_uri,
            challenge: request.challenge,
            expires_at: self.clock.after(self.settings.authorization_code_ttl),
        };
        self.vault.put(&code, &record, remembered).await?;
        let mut parameters = vec![("code", code.expose())];
        if let Some(state) = &back.state {
            parameters.push(("state", state));
        }
        parameters.push(("iss", &self.settings.issuer));
        Ok(back.redirect_uri.with_parameters(&parameters))
    }
}
