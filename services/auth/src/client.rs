//! Clients: what is known about one, where it is looked up, and how it proves who it is.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::oauth_error::{ErrorCode, Failure, OAuthError, refuse};
use crate::parameters::Parameters;
use crate::records::ClientId;
use crate::redirect_uri::RedirectUri;
use crate::scope::Scopes;
use crate::secret::{Secret, SecretHash};
use crate::server::AuthorizationServer;
use crate::store::Space;
use crate::vault::Record;

/// Longer than any id given out, and than any sensible metadata document URL.
const MAX_CLIENT_ID: usize = 1024;
const MAX_CLIENT_SECRET: usize = 1024;

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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SecretMethod {
    #[serde(rename = "client_secret_basic")]
    Basic,
    #[serde(rename = "client_secret_post")]
    Post,
}

/// `Authorization: Basic` credentials of a request, decoded.
#[derive(Clone)]
pub struct BasicCredentials {
    pub client_id: String,
    pub client_secret: Secret,
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

/// One answer for every reason, so that nobody learns which clients exist.
fn invalid_client<T>() -> Result<T, Failure<OAuthError>> {
    refuse(ErrorCode::InvalidClient, "client authentication failed")
}

impl AuthorizationServer {
    /// The client of that id, wherever it is kept.
    pub(crate) async fn client(&self, client_id: &str) -> Result<Option<Client>, Error> {
        if client_id.is_empty() || client_id.len() > MAX_CLIENT_ID {
            return Ok(None);
        }
        self.vault.get(&Secret::new(client_id)).await
    }

    /// The client that makes a request to the token, revocation, introspection or pushed request endpoint.
    pub(crate) async fn authenticate_client(
        &self,
        parameters: &Parameters,
        basic: Option<&BasicCredentials>,
    ) -> Result<Client, Failure<OAuthError>> {
        parameters.check().map_err(Failure::Refused)?;
        let in_body = parameters.get("client_secret");
        if basic.is_some() && in_body.is_some() {
            return refuse(
                ErrorCode::InvalidRequest,
                "more than one way of client authentication was used",
            );
        }
        let named = parameters.get("client_id");
        let client_id = match (basic, named) {
            (Some(basic), Some(named)) if basic.client_id != named => {
                return refuse(
                    ErrorCode::InvalidRequest,
                    "the client ids of header and body differ",
                );
            }
            (Some(basic), _) => basic.client_id.as_str(),
            (None, Some(named)) => named,
            (None, None) => return invalid_client(),
        };
        let secret = basic.map(|basic| basic.client_secret.expose()).or(in_body);
        // An empty password in the header is how some libraries say "none".
        let secret = secret.filter(|secret| !secret.is_empty());
        let Some(client) = self.client(client_id).await? else {
            return invalid_client();
        };
        let proven = match (&client.authentication, secret) {
            (ClientAuthentication::None, None) => true,
            (ClientAuthentication::Secret { hash, .. }, Some(secret)) => {
                secret.len() <= MAX_CLIENT_SECRET && hash.matches(secret)
            }
            (ClientAuthentication::None, Some(_)) | (ClientAuthentication::Secret { .. }, None) => false,
        };
        if proven { Ok(client) } else { invalid_client() }
    }
}
