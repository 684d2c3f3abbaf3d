//! What is kept, and the names of whom it is about.

use serde::{Deserialize, Serialize};

use crate::pkce::Challenge;
use crate::redirect_uri::RedirectUri;
use crate::scope::Scopes;
use crate::secret::{Secret, SecretHash};
use crate::store::{Key, Space};
use crate::vault::Record;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub String);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub String);

/// Names a grant: what one login (or one client credentials request) gave, with all tokens that come from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantId(pub String);

/// A checked authorization request.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AuthorizationRequest {
    pub client_id: ClientId,
    pub redirect_uri: RedirectUri,
    pub state: Option<String>,
    pub challenge: Challenge,
    pub scopes: Scopes,
    pub audience: Vec<String>,
    /// Thumbprint of the key that the code is bound to (RFC 9449 section 10).
    pub dpop_jkt: Option<String>,
}

/// Waits for the user's consent; kept under the transaction id.
#[derive(Serialize, Deserialize)]
pub(crate) struct Transaction {
    pub request: AuthorizationRequest,
    pub browser: SecretHash,
    pub csrf: SecretHash,
}

/// Waits for the upstream provider; kept under the `state` that the provider sends back.
#[derive(Serialize, Deserialize)]
pub(crate) struct Login {
    pub request: AuthorizationRequest,
    pub browser: SecretHash,
    /// PKCE verifier of our own request to the provider.
    pub verifier: String,
    /// The only user whose consent is known; nobody was asked. `None`: whoever comes back was asked.
    pub consented: Option<UserId>,
}

/// What the tokens of a grant allow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub grant_id: GrantId,
    pub user_id: UserId,
    pub client_id: ClientId,
    pub scopes: Scopes,
    pub audience: Vec<String>,
    /// Thumbprint of the key that the tokens are bound to (RFC 9449).
    pub jkt: Option<String>,
}

/// Kept under the code, and for a while after it ended, so that a second use is recognised.
#[derive(Serialize, Deserialize)]
pub(crate) struct Code {
    pub terms: Terms,
    pub redirect_uri: RedirectUri,
    pub challenge: Challenge,
    pub expires_at: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct AccessToken {
    pub terms: Terms,
    pub issued_at: u64,
    pub expires_at: u64,
}

/// Kept until it expires also when it has been used, so that a second use is recognised.
#[derive(Serialize, Deserialize)]
pub(crate) struct RefreshToken {
    pub terms: Terms,
    pub issued_at: u64,
    pub expires_at: u64,
}

impl Record for Transaction {
    const SPACE: Space = Space::Transaction;
}

impl Record for Login {
    const SPACE: Space = Space::Login;
}

impl Record for Code {
    const SPACE: Space = Space::Code;
}

impl Record for AccessToken {
    const SPACE: Space = Space::Access;
}

impl Record for RefreshToken {
    const SPACE: Space = Space::Refresh;
}

impl GrantId {
    pub(crate) fn key(&self) -> Key {
        Key::new(Space::Grant, &self.0)
    }
}

/// Marks a single-use secret as used.
pub(crate) fn spent_key(secret: &Secret) -> Key {
    Key::new(Space::Spent, secret.hash().as_str())
}
