//! Who the user is: asked of an identity provider that speaks OAuth 2.0, real or fake.

use async_trait::async_trait;

use crate::records::UserId;
use crate::secret::Secret;

pub mod fake;
pub mod http;
pub mod oauth;

/// Why the provider did not say who the user is.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// It refused the code, or what it said makes no sense.
    #[error("rejected: {0}")]
    Rejected(String),
    /// It does not answer; trying again may help.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

/// An identity provider. We are its OAuth client, with PKCE.
#[async_trait]
pub trait Upstream: Send + Sync + 'static {
    /// Where the browser goes to log in. `state` comes back with the code.
    async fn authorize_url(&self, state: &Secret, verifier: &Secret) -> Result<String, UpstreamError>;

    /// The provider's issuer identifier, if it is known: then an `iss` in its response must be this (RFC 9207).
    fn issuer(&self) -> Option<&str>;

    /// Redeems the code for the user's id.
    async fn identify(&self, code: &Secret, verifier: &Secret) -> Result<UserId, UpstreamError>;
}
