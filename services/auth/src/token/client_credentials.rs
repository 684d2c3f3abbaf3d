//! `grant_type=client_credentials` (RFC 6749 section 4.4): a confidential client acts for itself.

use super::{Asking, CLIENT_SUBJECT_PREFIX, Tokens};
use crate::authorization::granted_scopes;
use crate::oauth_error::{ErrorCode, Failure, OAuthError, refuse};
use crate::records::{Terms, UserId};
use crate::server::AuthorizationServer;

impl AuthorizationServer {
    pub(super) async fn client_credentials(
        &self,
        asking: &Asking<'_>,
    ) -> Result<Tokens, Failure<OAuthError>> {
        let Asking {
            client, parameters, ..
        } = asking;
        if !client.is_confidential() {
            return refuse(
                ErrorCode::UnauthorizedClient,
                "only confidential clients may use client_credentials",
            );
        }
        let scopes = granted_scopes(client, parameters.get("scope")).map_err(Failure::Refused)?;
        let audience = self
            .settings
            .resources
            .requested(parameters)
            .map_err(Failure::Refused)?;
        let terms = Terms {
            grant_id: self.new_grant(self.settings.access_token_ttl).await?,
            user_id: UserId(format!("{CLIENT_SUBJECT_PREFIX}{}", client.client_id.0)),
            client_id: client.client_id.clone(),
            scopes: scopes.clone(),
            audience,
            jkt: asking.key.clone(),
        };
        // Never refreshed: the client asks again (section 4.4.3).
        let access = self.write_access(terms).await?;
        Ok(Tokens {
            access,
            refresh: None,
            scopes,
            bound: asking.key.is_some(),
        })
    }
}
