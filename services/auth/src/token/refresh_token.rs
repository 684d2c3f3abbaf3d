//! `grant_type=refresh_token` (RFC 6749 section 6), with rotation and reuse detection (RFC 9700 section 4.14.2).

use super::{Asking, Tokens, check_key, presented};
use crate::oauth_error::{ErrorCode, Failure, OAuthError};
use crate::records::RefreshToken;
use crate::scope::Scopes;
use crate::server::AuthorizationServer;

impl AuthorizationServer {
    pub(super) async fn refresh(&self, asking: &Asking<'_>) -> Result<Tokens, Failure<OAuthError>> {
        let parameters = asking.parameters;
        let unknown = || Failure::refused(ErrorCode::InvalidGrant, "the refresh token is not valid");
        let token =
            presented(parameters.require("refresh_token").map_err(Failure::Refused)?).ok_or_else(unknown)?;
        let record: RefreshToken = self.vault.get(&token).await?.ok_or_else(unknown)?;
        if record.terms.client_id != asking.client.client_id || self.clock.now() >= record.expires_at {
            return Err(unknown());
        }
        check_key(record.terms.jkt.as_deref(), asking)?;
        let scopes =
            narrowed_scopes(&record.terms.scopes, parameters.get("scope")).map_err(Failure::Refused)?;
        let audience = self
            .narrowed_audience(&record.terms, parameters)
            .map_err(Failure::Refused)?;
        // Written first, so that a failure in between leaves the old token usable; nobody knows these tokens yet.
        let tokens = self.issue(asking, &record.terms, scopes, audience).await?;
        self.spend(
            &token,
            &record.terms,
            self.settings.refresh_token_ttl,
            "refresh token",
        )
        .await?;
        Ok(tokens)
    }
}

/// No more than was granted (RFC 6749 section 6).
fn narrowed_scopes(granted: &Scopes, wanted: Option<&str>) -> Result<Scopes, OAuthError> {
    let Some(wanted) = wanted else {
        return Ok(granted.clone());
    };
    match Scopes::parse(wanted) {
        Some(wanted) if granted.contains_all(&wanted) => Ok(wanted),
        _ => Err(ErrorCode::InvalidScope.because("the scope is not part of what was granted")),
    }
}
