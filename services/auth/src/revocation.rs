//! Giving tokens back (RFC 7009), and telling everybody who remembers them.

use crate::client::authentication::ClientRequest;
use crate::error::Error;
use crate::limits::{Counted, Limited};
use crate::oauth_error::{ErrorCode, Failure, OAuthError, refuse};
use crate::records::{AccessToken, RefreshToken};
use crate::server::AuthorizationServer;
use crate::store::{Revocation, Revocations};
use crate::token::presented;

impl AuthorizationServer {
    /// A refresh token takes its whole grant with it; an access token goes alone. A token that does not exist is
    /// revoked already (section 2.2). `token_type_hint` is not needed: both kinds are looked for.
    pub async fn revoke(&self, request: &ClientRequest) -> Result<(), Failure<OAuthError>> {
        self.admit(Limited::Introspect, Counted::Address(request.address))
            .await?;
        let client = self.authenticate_client(request).await?;
        let token = request.parameters.require("token").map_err(Failure::Refused)?;
        let Some(token) = presented(token) else {
            return Ok(());
        };
        let foreign = || refuse(ErrorCode::InvalidGrant, "the token was issued to another client");
        let refresh: Option<RefreshToken> = self.vault.get(&token).await?;
        if let Some(refresh) = refresh {
            if refresh.terms.client_id != client.client_id {
                return foreign();
            }
            self.revoke_grant(&refresh.terms.grant_id).await?;
            tracing::info!(client_id = client.client_id.0, "token revoked, and its grant");
            return Ok(());
        }
        let access: Option<AccessToken> = self.vault.get(&token).await?;
        if let Some(access) = access {
            if access.terms.client_id != client.client_id {
                return foreign();
            }
            if self.vault.delete::<AccessToken>(&token).await? {
                self.announce(Revocation::Token(token.hash().as_str().to_owned()))
                    .await;
                tracing::info!(client_id = client.client_id.0, "token revoked");
            }
        }
        Ok(())
    }

    /// Revocations from now on, of all replicas.
    pub async fn watch(&self) -> Result<Box<dyn Revocations>, Error> {
        Ok(self.vault.store().revocations().await?)
    }
}
