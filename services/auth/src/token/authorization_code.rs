//! `grant_type=authorization_code` (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

use super::{Asking, Tokens, check_key, presented};
use crate::oauth_error::{ErrorCode, Failure, OAuthError, refuse};
use crate::records::Code;
use crate::server::AuthorizationServer;

impl AuthorizationServer {
    /// Everything is checked before the code is spent: whoever has only the code can neither use it nor spoil it.
    pub(super) async fn redeem_code(&self, asking: &Asking<'_>) -> Result<Tokens, Failure<OAuthError>> {
        let parameters = asking.parameters;
        let unknown = || Failure::refused(ErrorCode::InvalidGrant, "the code is not valid");
        let code = presented(parameters.require("code").map_err(Failure::Refused)?).ok_or_else(unknown)?;
        let verifier = parameters.require("code_verifier").map_err(Failure::Refused)?;
        let record: Code = self.vault.get(&code).await?.ok_or_else(unknown)?;
        if record.terms.client_id != asking.client.client_id {
            return Err(unknown());
        }
        // OAuth 2.1 no longer asks for it, RFC 6749 does: checked when it is there; PKCE binds the code in any case.
        if parameters
            .get("redirect_uri")
            .is_some_and(|uri| uri != record.redirect_uri.as_str())
        {
            return refuse(
                ErrorCode::InvalidGrant,
                "redirect_uri is not the one of the authorization request",
            );
        }
        if !record.challenge.is_met_by(verifier) {
            return refuse(
                ErrorCode::InvalidGrant,
                "code_verifier does not match the code_challenge",
            );
        }
        check_key(record.terms.jkt.as_deref(), asking)?;
        let audience = self
            .narrowed_audience(&record.terms, parameters)
            .map_err(Failure::Refused)?;
        if self.clock.now() >= record.expires_at && !self.is_spent(&code).await? {
            return refuse(ErrorCode::InvalidGrant, "the code has expired");
        }
        let remembered = self.settings.authorization_code_ttl + self.settings.access_token_ttl;
        let scopes = record.terms.scopes.clone();
        // Written first, so that a failure in between leaves the code unspent; nobody knows these tokens yet.
        let tokens = self.issue(asking, &record.terms, scopes, audience).await?;
        self.spend(&code, &record.terms, remembered, "authorization code")
            .await?;
        Ok(tokens)
    }
}
