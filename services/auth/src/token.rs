//! The token endpoint: every grant, and what they share.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::client::authentication::ClientRequest;
use crate::client::{Client, GrantType};
use crate::dpop::{DpopProof, Thumbprint};
use crate::error::Error;
use crate::limits::{Counted, Limited};
use crate::oauth_error::{ErrorCode, Failure, OAuthError, refuse};
use crate::parameters::Parameters;
use crate::records::{AccessToken, GrantId, RefreshToken, Terms, spent_key};
use crate::scope::Scopes;
use crate::secret::{Secret, hex, random_bytes};
use crate::server::AuthorizationServer;
use crate::store::{Claim, Revocation};

mod authorization_code;
mod client_credentials;
mod refresh_token;

/// Begins the user id of a client that acts for itself; no person's id begins so.
pub(crate) const CLIENT_SUBJECT_PREFIX: &str = "client:";

/// Longest code or token that is looked up.
pub(crate) const MAX_TOKEN: usize = 512;

/// A token request whose client has proven who it is.
struct Asking<'a> {
    client: &'a Client,
    parameters: &'a Parameters,
    /// Thumbprint of the key that it holds (RFC 9449).
    key: Option<String>,
}

/// What is issued together.
struct Tokens {
    access: Secret,
    refresh: Option<Secret>,
    scopes: Scopes,
    bound: bool,
}

impl AuthorizationServer {
    /// RFC 6749 section 3.2. Answers the JSON of section 5.1.
    pub async fn exchange_token(
        &self,
        request: &ClientRequest,
        proof: Option<&DpopProof>,
    ) -> Result<Vec<u8>, Failure<OAuthError>> {
        self.admit(Limited::Token, Counted::Address(request.address))
            .await?;
        let client = self.authenticate_client(request).await?;
        if client.is_confidential() {
            self.admit(Limited::Token, Counted::Client(&client.client_id.0))
                .await?;
        }
        let parameters = &request.parameters;
        let grant_type = parameters.require("grant_type").map_err(Failure::Refused)?;
        let Some(grant_type) = GrantType::parse(grant_type) else {
            return refuse(ErrorCode::UnsupportedGrantType, "the grant_type is not supported");
        };
        if !client.may(grant_type) {
            return refuse(
                ErrorCode::UnauthorizedClient,
                "the client may not use this grant_type",
            );
        }
        let key = match proof {
            None => None,
            Some(proof) => Some(self.proofs.check(proof, None).await?),
        };
        let asking = Asking {
            client: &client,
            parameters,
            key: key.map(|Thumbprint(key)| key),
        };
        let tokens = match grant_type {
            GrantType::AuthorizationCode => self.redeem_code(&asking).await?,
            GrantType::RefreshToken => self.refresh(&asking).await?,
            GrantType::ClientCredentials => self.client_credentials(&asking).await?,
        };
        // The tokens are out; a client that is forgotten too early only has to register again.
        if let Err(error) = self.client_was_used(&client).await {
            tracing::warn!(%error, "a client's life could not be extended");
        }
        tracing::info!(
            client_id = client.client_id.0,
            grant_type = parameters.get("grant_type"),
            "token issued"
        );
        Ok(self.token_response(&tokens))
    }

    fn token_response(&self, tokens: &Tokens) -> Vec<u8> {
        let mut response = json!({
            "access_token": tokens.access.expose(),
            "token_type": if tokens.bound { "DPoP" } else { "Bearer" },
            "expires_in": self.settings.access_token_ttl.as_secs(),
            "scope": tokens.scopes.to_string(),
        });
        if let Some(refresh) = &tokens.refresh {
            response["refresh_token"] = json!(refresh.expose());
        }
        response.to_string().into_bytes()
    }

    /// Writes tokens of a living grant. They work once whoever asked has got them, and end with the grant.
    /// `scopes` and `audience` of the access token may be less than `terms`, which the refresh token keeps.
    async fn issue(
        &self,
        asking: &Asking<'_>,
        terms: &Terms,
        scopes: Scopes,
        audience: Vec<String>,
    ) -> Result<Tokens, Failure<OAuthError>> {
        let settings = &self.settings;
        self.admit(Limited::Token, Counted::User(&terms.user_id.0))
            .await?;
        let refreshable = asking.client.may(GrantType::RefreshToken);
        let longest = if refreshable {
            settings.refresh_token_ttl.max(settings.access_token_ttl)
        } else {
            settings.access_token_ttl
        };
        if !self.vault.store().extend(&terms.grant_id.key(), longest).await? {
            return refuse(ErrorCode::InvalidGrant, "the grant has been revoked");
        }
        let access = Terms {
            scopes: scopes.clone(),
            audience,
            jkt: asking.key.clone(),
            ..terms.clone()
        };
        let token = self.write_access(access).await?;
        let refresh = if refreshable {
            let refresh = Secret::generate("mcp_rt_")?;
            // A client that proves who it is binds its refresh tokens thereby (RFC 9449 section 5).
            let jkt = asking.key.clone().filter(|_| !asking.client.is_confidential());
            let record = RefreshToken {
                terms: Terms { jkt, ..terms.clone() },
                issued_at: self.clock.now(),
                expires_at: self.clock.after(settings.refresh_token_ttl),
            };
            self.vault
                .put(&refresh, &record, settings.refresh_token_ttl)
                .await?;
            Some(refresh)
        } else {
            None
        };
        Ok(Tokens {
            access: token,
            refresh,
            scopes,
            bound: asking.key.is_some(),
        })
    }

    async fn write_access(&self, terms: Terms) -> Result<Secret, Error> {
        let token = Secret::generate("mcp_at_")?;
        let ttl = self.settings.access_token_ttl;
        let record = AccessToken {
            terms,
            issued_at: self.clock.now(),
            expires_at: self.clock.after(ttl),
        };
        self.vault.put(&token, &record, ttl).await?;
        Ok(token)
    }

    /// A grant exists from its first moment on, so that whatever revokes it has something to end; nothing brings it
    /// back.
    pub(crate) async fn new_grant(&self, ttl: Duration) -> Result<GrantId, Error> {
        let grant_id = GrantId(hex(random_bytes::<16>()?.as_slice()));
        self.vault
            .store()
            .put(&grant_id.key(), Bytes::from_static(b"1"), ttl)
            .await?;
        Ok(grant_id)
    }

    pub(crate) async fn is_spent(&self, secret: &Secret) -> Result<bool, Error> {
        Ok(self.vault.store().get(&spent_key(secret)).await?.is_some())
    }

    /// Marks a code or refresh token as used, for as long as its record is kept. When somebody was first, the whole
    /// grant dies: one of the two must have stolen it (RFC 9700 sections 2.1.1 and 4.14.2).
    async fn spend(
        &self,
        secret: &Secret,
        terms: &Terms,
        remembered: Duration,
        what: &'static str,
    ) -> Result<(), Failure<OAuthError>> {
        let used = Bytes::from_static(b"1");
        match self
            .vault
            .store()
            .claim(&spent_key(secret), used, remembered)
            .await?
        {
            Claim::Won => Ok(()),
            Claim::Lost(_) => {
                tracing::warn!(
                    what,
                    client_id = terms.client_id.0,
                    "used twice: the grant is revoked"
                );
                self.revoke_grant(&terms.grant_id).await?;
                refuse(
                    ErrorCode::InvalidGrant,
                    "it has been used before; all tokens that came from it are revoked",
                )
            }
        }
    }

    /// Ends all tokens of a grant, present and future, at once: they are only as good as its record.
    pub(crate) async fn revoke_grant(&self, grant_id: &GrantId) -> Result<(), Error> {
        if self.vault.store().delete(&grant_id.key()).await? {
            self.announce(Revocation::Grant(grant_id.0.clone())).await;
        }
        Ok(())
    }

    /// Best effort: the revocation stands already, and caches that miss the news end with their age.
    pub(crate) async fn announce(&self, revocation: Revocation) {
        if let Err(error) = self.vault.store().announce(revocation).await {
            tracing::warn!(%error, "a revocation could not be announced");
        }
    }

    /// The audience of the access token: what the request names of what was granted, or all of it (RFC 8707
    /// section 2.2).
    fn narrowed_audience(&self, terms: &Terms, parameters: &Parameters) -> Result<Vec<String>, OAuthError> {
        let named = self.settings.resources.named(parameters)?;
        if named.iter().any(|resource| !terms.audience.contains(resource)) {
            return Err(ErrorCode::InvalidTarget.because("the resource was not part of the authorization"));
        }
        Ok(if named.is_empty() {
            terms.audience.clone()
        } else {
            named
        })
    }
}

/// A code or refresh token that is bound to a key needs its proof (RFC 9449 sections 5 and 10).
fn check_key(bound_to: Option<&str>, asking: &Asking<'_>) -> Result<(), Failure<OAuthError>> {
    match (bound_to, asking.key.as_deref()) {
        (None, _) => Ok(()),
        (Some(bound), Some(key)) if bound == key => Ok(()),
        (Some(_), Some(_)) => refuse(ErrorCode::InvalidGrant, "it is bound to another key"),
        (Some(_), None) => refuse(
            ErrorCode::InvalidDpopProof,
            "it is bound to a key: a DPoP proof is needed",
        ),
    }
}

/// A presented code or token, if it can be one.
pub(crate) fn presented(text: &str) -> Option<Secret> {
    (text.len() <= MAX_TOKEN).then(|| Secret::new(text))
}
