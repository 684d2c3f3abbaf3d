//! Clients: what is known about one, and where it is looked up.

use jsonwebtoken::jwk::JwkSet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::records::ClientId;
use crate::redirect_uri::RedirectUri;
use crate::scope::Scopes;
use crate::secret::{Secret, SecretHash};
use crate::server::AuthorizationServer;
use crate::store::Space;
use crate::vault::Record;

pub(crate) mod authentication;
mod document;
pub(crate) mod metadata;
pub(crate) mod preregistered;

/// Longer than any id given out, and than any sensible metadata document URL.
const MAX_CLIENT_ID: usize = 1024;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Client {
    pub client_id: ClientId,
    pub name: String,
    pub uri: Option<String>,
    pub redirect_uris: Vec<RedirectUri>,
    pub grant_types: Vec<GrantType>,
    pub authentication: ClientAuthentication,
    /// The most it may be granted. `None`: whatever exists.
    pub scopes: Option<Scopes>,
    /// Resources whose tokens it may introspect, besides its own: it is their resource server.
    pub introspects: Vec<String>,
    pub issued_at: u64,
    /// Set when it registered itself.
    pub registration: Option<Registration>,
}

/// What a dynamically registered client can manage itself with (RFC 7592).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Registration {
    pub access_token: SecretHash,
    /// The metadata as accepted, to be shown again.
    pub metadata: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum GrantType {
    #[serde(rename = "authorization_code")]
    AuthorizationCode,
    #[serde(rename = "refresh_token")]
    RefreshToken,
    #[serde(rename = "client_credentials")]
    ClientCredentials,
}

/// How a client proves who it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum ClientAuthentication {
    /// It cannot (a public client).
    None,
    /// `client_secret_basic` or `client_secret_post`; either is taken, they prove the same.
    Secret { method: SecretMethod, hash: SecretHash },
    /// `private_key_jwt` (RFC 7523).
    Key(ClientKeys),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SecretMethod {
    #[serde(rename = "client_secret_basic")]
    Basic,
    #[serde(rename = "client_secret_post")]
    Post,
}

/// Where a client's public keys are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum ClientKeys {
    Here(JwkSet),
    At(String),
}

impl Record for Client {
    const SPACE: Space = Space::Client;
}

impl Client {
    pub fn is_confidential(&self) -> bool {
        !matches!(self.authentication, ClientAuthentication::None)
    }

    pub fn may(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }

    pub fn registered_redirect(&self, presented: &str) -> Option<RedirectUri> {
        // The presented one is used from here on: its port is where a native client listens.
        let known = self
            .redirect_uris
            .iter()
            .any(|registered| registered.allows(presented));
        if known {
            RedirectUri::register(presented).ok()
        } else {
            None
        }
    }
}

impl GrantType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::AuthorizationCode,
            Self::RefreshToken,
            Self::ClientCredentials,
        ]
        .into_iter()
        .find(|grant_type| grant_type.as_str() == text)
    }
}

impl SecretMethod {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }
}

impl AuthorizationServer {
    /// The client of that id: the operator's, one whose id is the URL of its metadata, or one that registered.
    pub(crate) async fn client(&self, client_id: &str) -> Result<Option<Client>, Error> {
        if client_id.is_empty() || client_id.len() > MAX_CLIENT_ID {
            return Ok(None);
        }
        if let Some(client) = self.settings.clients.get(client_id) {
            return Ok(Some(client.clone()));
        }
        if let Some(url) = document::document_url(client_id, self.settings.loopback_documents) {
            return self.client_of_document(&url).await;
        }
        self.vault.get(&Secret::new(client_id)).await
    }
}
