//! What a token is worth (RFC 7662).

use crate::client::Client;
use crate::client::authentication::ClientRequest;
use crate::dpop::{DpopProof, Thumbprint};
use crate::error::Error;
use crate::limits::{Counted, Limited};
use crate::oauth_error::{ErrorCode, Failure, OAuthError, refuse};
use crate::records::{AccessToken, RefreshToken, Terms};
use crate::secret::Secret;
use crate::server::AuthorizationServer;
use crate::token::presented;

/// A token that may be used now.
#[derive(Debug)]
pub struct Active {
    pub user_id: String,
    pub client_id: String,
    pub scopes: Vec<String>,
    pub audience: Vec<String>,
    pub issued_at: u64,
    pub expires_at: u64,
    /// Thumbprint of the key that the token is bound to.
    pub jkt: Option<String>,
    pub grant_id: String,
}

impl AuthorizationServer {
    /// For the resource server, which asks about a token that is used at `resource`, with the proof that came with it.
    /// `None`: the token is not active, for another resource, or bound to another key.
    pub async fn introspect_for_resource(
        &self,
        token: &str,
        resource: &str,
        proof: Option<&DpopProof>,
    ) -> Result<Option<Active>, Failure<OAuthError>> {
        let Some(resource) = self.settings.resources.resolve(resource) else {
            return Ok(None);
        };
        let Some(token) = presented(token) else {
            return Ok(None);
        };
        let active = self.active_access_token(&token).await?;
        let Some(active) =
            active.filter(|active| active.audience.iter().any(|audience| audience == resource))
        else {
            return Ok(None);
        };
        // A bound token without proof is described as what it is; the resource server refuses it (RFC 9449 section 7.2).
        let Some(proof) = proof else {
            return Ok(Some(active));
        };
        let Thumbprint(key) = self.proofs.check(proof, Some(&token)).await?;
        Ok(Some(active).filter(|active| active.jkt.as_ref() == Some(&key)))
    }

    /// The public endpoint: for confidential clients, about tokens that were issued to them or for their resources.
    pub async fn introspect_for_client(
        &self,
        token: &str,
        request: &ClientRequest,
    ) -> Result<Option<Active>, Failure<OAuthError>> {
        self.admit(Limited::Introspect, Counted::Address(request.address))
            .await?;
        let client = self.authenticate_client(request).await?;
        if !client.is_confidential() {
            return refuse(
                ErrorCode::InvalidClient,
                "introspection needs client authentication",
            );
        }
        self.admit(Limited::Introspect, Counted::Client(&client.client_id.0))
            .await?;
        let Some(token) = presented(token) else {
            return Ok(None);
        };
        let active = match self.active_access_token(&token).await? {
            Some(active) => Some(active),
            None => self.active_refresh_token(&token).await?,
        };
        Ok(active.filter(|active| may_see(&client, active)))
    }

    async fn active_access_token(&self, token: &Secret) -> Result<Option<Active>, Error> {
        let record: Option<AccessToken> = self.vault.get(token).await?;
        match record {
            Some(record) => {
                self.active(record.terms, record.issued_at, record.expires_at)
                    .await
            }
            None => Ok(None),
        }
    }

    async fn active_refresh_token(&self, token: &Secret) -> Result<Option<Active>, Error> {
        let record: Option<RefreshToken> = self.vault.get(token).await?;
        match record {
            Some(record) if !self.is_spent(token).await? => {
                self.active(record.terms, record.issued_at, record.expires_at)
                    .await
            }
            _ => Ok(None),
        }
    }

    async fn active(&self, terms: Terms, issued_at: u64, expires_at: u64) -> Result<Option<Active>, Error> {
        let alive =
            self.clock.now() < expires_at && self.vault.store().get(&terms.grant_id.key()).await?.is_some();
        if !alive {
            return Ok(None);
        }
        Ok(Some(Active {
            user_id: terms.user_id.0,
            client_id: terms.client_id.0,
            scopes: terms.scopes.names(),
            audience: terms.audience,
            issued_at,
            expires_at,
            jkt: terms.jkt,
            grant_id: terms.grant_id.0,
        }))
    }
}

fn may_see(client: &Client, active: &Active) -> bool {
    client.client_id.0 == active.client_id
        || active
            .audience
            .iter()
            .any(|audience| client.introspects.contains(audience))
}
