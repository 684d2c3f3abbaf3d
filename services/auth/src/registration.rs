//! Dynamic client registration (RFC 7591) and its management (RFC 7592).

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use crate::client::{Client, ClientAuthentication, GrantType, Registration, SecretMethod};
use crate::error::Error;
use crate::oauth_error::{ErrorCode, Failure, OAuthError, refuse};
use crate::records::ClientId;
use crate::redirect_uri::{RedirectUri, is_loopback};
use crate::secret::Secret;
use crate::server::AuthorizationServer;

const MAX_METADATA_BYTES: usize = 16 * 1024;
const MAX_REDIRECT_URIS: usize = 32;
const MAX_NAME: usize = 200;
const MAX_URI: usize = 2048;

/// The members that mean something here; others are ignored, as RFC 7591 section 2 asks.
#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    client_name: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    tos_uri: Option<String>,
    policy_uri: Option<String>,
    scope: Option<String>,
    contacts: Option<Vec<String>>,
    software_id: Option<String>,
    software_version: Option<String>,
    application_type: Option<String>,
    /// Update only: must name the client.
    client_id: Option<String>,
    /// Update only: must be the current one.
    client_secret: Option<String>,
}

/// Metadata after checks and defaults.
pub(crate) struct Accepted {
    pub name: String,
    pub uri: Option<String>,
    pub redirect_uris: Vec<RedirectUri>,
    pub grant_types: Vec<GrantType>,
    pub method: Method,
    /// To be shown to the client.
    pub document: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    None,
    Secret(SecretMethod),
}

impl AuthorizationServer {
    /// Registers a client; answers the client information response.
    pub async fn register_client(&self, metadata_json: &[u8]) -> Result<Vec<u8>, Failure<OAuthError>> {
        let metadata = parse(metadata_json)?;
        let accepted = accept(&metadata).map_err(Failure::Refused)?;
        let client_id = ClientId(Secret::generate("mcp_client_")?.expose().to_owned());
        let registration_token = Secret::generate("mcp_reg_")?;
        let (authentication, secret) = match accepted.method {
            Method::None => (ClientAuthentication::None, None),
            Method::Secret(method) => {
                let secret = Secret::generate("mcp_secret_")?;
                (
                    ClientAuthentication::Secret {
                        method,
                        hash: secret.hash(),
                    },
                    Some(secret),
                )
            }
        };
        let client = Client {
            client_id,
            name: accepted.name,
            uri: accepted.uri,
            redirect_uris: accepted.redirect_uris,
            grant_types: accepted.grant_types,
            authentication,
            scopes: None,
            issued_at: self.clock.now(),
            registration: Some(Registration {
                access_token: registration_token.hash(),
                metadata: accepted.document,
            }),
        };
        self.put_client(&client, self.settings.unused_client_ttl).await?;
        self.client_information(&client, secret.as_ref(), Some(&registration_token))
    }

    /// RFC 7592 section 2.1.
    pub async fn read_client(&self, client_id: &str, token: &str) -> Result<Vec<u8>, Failure<OAuthError>> {
        let client = self.manageable(client_id, token).await?;
        self.client_information(&client, None, Some(&Secret::new(token)))
    }

    /// RFC 7592 section 2.2: replaces the metadata. A change of the authentication method needs a new registration.
    pub async fn update_client(
        &self,
        client_id: &str,
        token: &str,
        metadata_json: &[u8],
    ) -> Result<Vec<u8>, Failure<OAuthError>> {
        let mut client = self.manageable(client_id, token).await?;
        let metadata = parse(metadata_json)?;
        if metadata.client_id.as_deref() != Some(client_id) {
            return refuse(
                ErrorCode::InvalidClientMetadata,
                "client_id must name the client that is updated",
            );
        }
        let accepted = accept(&metadata).map_err(Failure::Refused)?;
        let (same_method, same_secret) = match (&client.authentication, accepted.method) {
            (ClientAuthentication::None, Method::None) => (true, metadata.client_secret.is_none()),
            (ClientAuthentication::Secret { hash, .. }, Method::Secret(_)) => (
                true,
                metadata
                    .client_secret
                    .as_deref()
                    .is_none_or(|secret| hash.matches(secret)),
            ),
            (ClientAuthentication::None, Method::Secret(_))
            | (ClientAuthentication::Secret { .. }, Method::None) => (false, true),
        };
        if !same_method {
            return refuse(
                ErrorCode::InvalidClientMetadata,
                "the authentication method of a client cannot be changed",
            );
        }
        if !same_secret {
            return refuse(
                ErrorCode::InvalidClientMetadata,
                "client_secret is not the current one",
            );
        }
        if let (ClientAuthentication::Secret { method, .. }, Method::Secret(wanted)) =
            (&mut client.authentication, accepted.method)
        {
            *method = wanted;
        }
        client.name = accepted.name;
        client.uri = accepted.uri;
        client.redirect_uris = accepted.redirect_uris;
        client.grant_types = accepted.grant_types;
        if let Some(registration) = &mut client.registration {
            registration.metadata = accepted.document;
        }
        self.put_client(&client, self.settings.client_ttl).await?;
        self.client_information(&client, None, Some(&Secret::new(token)))
    }

    /// RFC 7592 section 2.3. Its tokens end with their time; none can be refreshed.
    pub async fn delete_client(&self, client_id: &str, token: &str) -> Result<(), Failure<OAuthError>> {
        let client = self.manageable(client_id, token).await?;
        self.vault
            .delete::<Client>(&Secret::new(client.client_id.0))
            .await?;
        Ok(())
    }

    /// The client got a token: it is kept for longer from now on.
    pub(crate) async fn client_was_used(&self, client: &Client) -> Result<(), Error> {
        if client.registration.is_some() {
            let key = Secret::new(client.client_id.0.as_str());
            self.vault
                .extend::<Client>(&key, self.settings.client_ttl)
                .await?;
        }
        Ok(())
    }

    async fn put_client(&self, client: &Client, ttl: Duration) -> Result<(), Error> {
        self.vault
            .put(&Secret::new(client.client_id.0.as_str()), client, ttl)
            .await
    }

    /// The client, if the registration access token is its own.
    async fn manageable(&self, client_id: &str, token: &str) -> Result<Client, Failure<OAuthError>> {
        let client = self.client(client_id).await?;
        let own = client.filter(|client| {
            client
                .registration
                .as_ref()
                .is_some_and(|registration| registration.access_token.matches(token))
        });
        own.ok_or_else(|| {
            Failure::refused(
                ErrorCode::InvalidToken,
                "the registration access token is not valid",
            )
        })
    }

    /// RFC 7591 section 3.2.1. A secret is shown once, when it is made.
    fn client_information(
        &self,
        client: &Client,
        secret: Option<&Secret>,
        registration_token: Option<&Secret>,
    ) -> Result<Vec<u8>, Failure<OAuthError>> {
        let mut document = client
            .registration
            .as_ref()
            .map(|r| r.metadata.clone())
            .unwrap_or_default();
        document.insert("client_id".to_owned(), json!(client.client_id.0));
        document.insert("client_id_issued_at".to_owned(), json!(client.issued_at));
        if let Some(secret) = secret {
            document.insert("client_secret".to_owned(), json!(secret.expose()));
            document.insert("client_secret_expires_at".to_owned(), json!(0));
        }
        if let Some(token) = registration_token {
            document.insert("registration_access_token".to_owned(), json!(token.expose()));
            let uri = self
                .settings
                .endpoint(&format!("/register/{}", client.client_id.0));
            document.insert("registration_client_uri".to_owned(), json!(uri));
        }
        serde_json::to_vec(&document).map_err(|error| Error::Internal(error.to_string()).into())
    }
}

fn parse(metadata_json: &[u8]) -> Result<Metadata, Failure<OAuthError>> {
    if metadata_json.len() > MAX_METADATA_BYTES {
        return refuse(
            ErrorCode::InvalidClientMetadata,
            "the client metadata is larger than 16 KiB",
        );
    }
    serde_json::from_slice(metadata_json).map_err(|_| {
        Failure::refused(
            ErrorCode::InvalidClientMetadata,
            "the client metadata is not a JSON object whose members have the types of RFC 7591",
        )
    })
}

fn accept(metadata: &Metadata) -> Result<Accepted, OAuthError> {
    let bad = |what: &'static str| ErrorCode::InvalidClientMetadata.because(what);
    let grant_types = accept_grant_types(metadata.grant_types.as_deref())?;
    if metadata
        .response_types
        .as_ref()
        .is_some_and(|types| !types.iter().any(|kind| kind == "code"))
    {
        return Err(bad("response_types must include code"));
    }
    let redirect_uris = accept_redirect_uris(&metadata.redirect_uris)?;
    let method = match metadata.token_endpoint_auth_method.as_deref() {
        Some("none") => Method::None,
        // RFC 7591 section 2: the default.
        None | Some("client_secret_basic") => Method::Secret(SecretMethod::Basic),
        Some("client_secret_post") => Method::Secret(SecretMethod::Post),
        Some(_) => {
            return Err(bad(
                "token_endpoint_auth_method must be none, client_secret_basic or client_secret_post",
            ));
        }
    };
    let name = metadata.client_name.as_deref().unwrap_or("unnamed client");
    if name.chars().count() > MAX_NAME || name.trim().is_empty() || name.chars().any(is_deceptive) {
        return Err(bad(
            "client_name must be 1 to 200 characters without control or direction characters",
        ));
    }
    for uri in [
        &metadata.client_uri,
        &metadata.logo_uri,
        &metadata.tos_uri,
        &metadata.policy_uri,
    ] {
        if uri.as_deref().is_some_and(|uri| !is_web_uri(uri)) {
            return Err(bad(
                "client_uri, logo_uri, tos_uri and policy_uri must be https URLs",
            ));
        }
    }
    let method_name = match method {
        Method::None => "none",
        Method::Secret(method) => method.as_str(),
    };
    let mut document = Map::new();
    let mut show = |name: &str, value: Value| {
        if !value.is_null() {
            document.insert(name.to_owned(), value);
        }
    };
    show("redirect_uris", json!(redirect_uris));
    show("token_endpoint_auth_method", json!(method_name));
    show("grant_types", json!(grant_types));
    show("response_types", json!(["code"]));
    show("client_name", json!(metadata.client_name));
    show("client_uri", json!(metadata.client_uri));
    show("logo_uri", json!(metadata.logo_uri));
    show("tos_uri", json!(metadata.tos_uri));
    show("policy_uri", json!(metadata.policy_uri));
    show("scope", json!(metadata.scope));
    show("contacts", json!(metadata.contacts));
    show("software_id", json!(metadata.software_id));
    show("software_version", json!(metadata.software_version));
    show("application_type", json!(metadata.application_type));
    Ok(Accepted {
        name: name.trim().to_owned(),
        uri: metadata.client_uri.clone(),
        redirect_uris,
        grant_types,
        method,
        document,
    })
}

/// Unsupported grant types are left out, as RFC 7591 section 2 allows. Client credentials need somebody to vouch for
/// the client, so they cannot be had by registering oneself.
fn accept_grant_types(wanted: Option<&[String]>) -> Result<Vec<GrantType>, OAuthError> {
    let Some(wanted) = wanted else {
        return Ok(vec![GrantType::AuthorizationCode, GrantType::RefreshToken]);
    };
    let wanted: Vec<Option<GrantType>> = wanted.iter().map(|name| GrantType::parse(name)).collect();
    if !wanted.contains(&Some(GrantType::AuthorizationCode)) {
        return Err(ErrorCode::InvalidClientMetadata.because(
            "grant_types must include authorization_code; other clients are registered by the operator",
        ));
    }
    let mut accepted = vec![GrantType::AuthorizationCode];
    if wanted.contains(&Some(GrantType::RefreshToken)) {
        accepted.push(GrantType::RefreshToken);
    }
    Ok(accepted)
}

pub(crate) fn accept_redirect_uris(wanted: &[String]) -> Result<Vec<RedirectUri>, OAuthError> {
    if wanted.is_empty() || wanted.len() > MAX_REDIRECT_URIS {
        return Err(ErrorCode::InvalidRedirectUri.because("redirect_uris must hold 1 to 32 addresses"));
    }
    wanted
        .iter()
        .map(|uri| {
            RedirectUri::register(uri).map_err(|why| ErrorCode::InvalidRedirectUri.because(why.to_string()))
        })
        .collect()
}

/// Characters that make a name look like another one on the consent page.
pub(crate) fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

pub(crate) fn is_web_uri(text: &str) -> bool {
    text.len() <= MAX_URI
        && Url::parse(text)
            .is_ok_and(|url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)))
}
