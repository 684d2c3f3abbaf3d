//! Dynamic client registration (RFC 7591) and its management (RFC 7592).

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;

use crate::client::metadata::{Metadata, Method, Source};
use crate::client::{Client, ClientAuthentication, Registration};
use crate::error::Error;
use crate::limits::{Counted, Limited};
use crate::oauth_error::{ErrorCode, Failure, OAuthError, refuse};
use crate::records::ClientId;
use crate::secret::Secret;
use crate::server::AuthorizationServer;

const MAX_METADATA_BYTES: usize = 16 * 1024;

impl AuthorizationServer {
    /// Registers a client; answers the client information response.
    pub async fn register_client(
        &self,
        metadata_json: &[u8],
        address: Option<IpAddr>,
    ) -> Result<Vec<u8>, Failure<OAuthError>> {
        self.admit(Limited::Register, Counted::Address(address)).await?;
        let metadata = parse(metadata_json)?;
        let accepted = metadata.accept(Source::Registration).map_err(Failure::Refused)?;
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
            Method::Key(keys) => (ClientAuthentication::Key(keys), None),
        };
        let client = Client {
            client_id,
            name: accepted.name,
            uri: accepted.uri,
            redirect_uris: accepted.redirect_uris,
            grant_types: accepted.grant_types,
            authentication,
            scopes: None,
            introspects: Vec::new(),
            issued_at: self.clock.now(),
            registration: Some(Registration {
                access_token: registration_token.hash(),
                metadata: accepted.document,
            }),
        };
        self.put_client(&client, self.settings.unused_client_ttl).await?;
        tracing::info!(client_id = client.client_id.0, "client registered");
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
        let accepted = metadata.accept(Source::Registration).map_err(Failure::Refused)?;
        client.authentication = changed_authentication(&client.authentication, accepted.method, &metadata)?;
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

/// Secrets are made when a client registers, so only what needs no new one can change.
fn changed_authentication(
    current: &ClientAuthentication,
    wanted: Method,
    metadata: &Metadata,
) -> Result<ClientAuthentication, Failure<OAuthError>> {
    let secret = metadata.client_secret.as_deref();
    match (current, wanted) {
        (ClientAuthentication::Secret { hash, .. }, _)
            if secret.is_some_and(|secret| !hash.matches(secret)) =>
        {
            refuse(
                ErrorCode::InvalidClientMetadata,
                "client_secret is not the current one",
            )
        }
        (ClientAuthentication::Secret { hash, .. }, Method::Secret(method)) => {
            Ok(ClientAuthentication::Secret {
                method,
                hash: hash.clone(),
            })
        }
        (ClientAuthentication::None, Method::None) => Ok(ClientAuthentication::None),
        (ClientAuthentication::Key(_), Method::Key(keys)) => Ok(ClientAuthentication::Key(keys)),
        _ => refuse(
            ErrorCode::InvalidClientMetadata,
            "the authentication method of a client cannot be changed",
        ),
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
