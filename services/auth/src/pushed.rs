//! Pushed authorization requests (RFC 9126): the client sends its request directly, and the browser only a reference.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::authorization::Problem;
use crate::client::authentication::ClientRequest;
use crate::error::Error;
use crate::limits::{Counted, Limited};
use crate::oauth_error::{ErrorCode, Failure, OAuthError, refuse};
use crate::parameters::Parameters;
use crate::records::{AuthorizationRequest, ClientId};
use crate::secret::Secret;
use crate::server::AuthorizationServer;
use crate::store::Space;
use crate::vault::Record;

/// RFC 9126 section 2.2.
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
/// Long enough for a person who reloads the page.
pub const TTL: Duration = Duration::from_secs(120);
/// Ways to authenticate are not part of the request.
const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// Kept under the random part of the `request_uri`.
#[derive(Serialize, Deserialize)]
struct Pushed {
    client_id: ClientId,
    parameters: Parameters,
}

impl Record for Pushed {
    const SPACE: Space = Space::Pushed;
}

impl AuthorizationServer {
    /// Answers the `request_uri`.
    pub async fn push_authorization(&self, request: &ClientRequest) -> Result<String, Failure<OAuthError>> {
        self.admit(Limited::Authorize, Counted::Address(request.address))
            .await?;
        let client = self.authenticate_client(request).await?;
        if request.parameters.all("request_uri").next().is_some() {
            return refuse(
                ErrorCode::InvalidRequest,
                "a pushed request cannot refer to another",
            );
        }
        let parameters = request
            .parameters
            .without(&CREDENTIALS)
            .with("client_id", &client.client_id.0);
        match self.check_request(&parameters).await {
            Ok(_) => {}
            Err(Failure::Refused(Problem { error, .. })) => return Err(Failure::Refused(error)),
            Err(Failure::Fault(error)) => return Err(Failure::Fault(error)),
        }
        Ok(self.keep(client.client_id, parameters).await?)
    }

    /// Back to the consent page: answers its address. Somebody logged in who was not asked.
    pub(crate) async fn ask_again(&self, request: AuthorizationRequest) -> Result<String, Error> {
        let mut pairs = vec![
            ("response_type", "code".to_owned()),
            ("client_id", request.client_id.0.clone()),
            ("redirect_uri", request.redirect_uri.as_str().to_owned()),
            ("code_challenge", request.challenge.as_str().to_owned()),
            ("code_challenge_method", "S256".to_owned()),
            ("scope", request.scopes.to_string()),
            ("prompt", "consent".to_owned()),
        ];
        pairs.extend(request.state.map(|state| ("state", state)));
        pairs.extend(request.dpop_jkt.map(|jkt| ("dpop_jkt", jkt)));
        pairs.extend(
            request
                .audience
                .into_iter()
                .map(|resource| ("resource", resource)),
        );
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let request_uri = self
            .keep(request.client_id.clone(), Parameters::new(pairs))
            .await?;
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", &request.client_id.0)
            .append_pair("request_uri", &request_uri)
            .finish();
        Ok(format!("{}?{query}", self.settings.endpoint("/authorize")))
    }

    /// Answers the `request_uri`.
    async fn keep(&self, client_id: ClientId, parameters: Parameters) -> Result<String, Error> {
        let reference = Secret::generate("")?;
        self.vault
            .put(
                &reference,
                &Pushed {
                    client_id,
                    parameters,
                },
                TTL,
            )
            .await?;
        Ok(format!("{PREFIX}{}", reference.expose()))
    }

    /// The request that `parameters` refer to, or are. It may be asked for again until it expires, since people
    /// reload pages.
    pub(crate) async fn resolve_pushed(
        &self,
        parameters: &Parameters,
    ) -> Result<Option<Parameters>, Failure<OAuthError>> {
        let Some(uri) = parameters.get("request_uri") else {
            return Ok(None);
        };
        let unknown = || {
            Failure::refused(
                ErrorCode::InvalidRequestUri,
                "the request_uri is unknown or has expired",
            )
        };
        let reference = uri
            .strip_prefix(PREFIX)
            .filter(|reference| reference.len() <= 128)
            .ok_or_else(unknown)?;
        let pushed: Pushed = self
            .vault
            .get(&Secret::new(reference))
            .await?
            .ok_or_else(unknown)?;
        if parameters.get("client_id") != Some(pushed.client_id.0.as_str()) {
            return Err(unknown());
        }
        Ok(Some(pushed.parameters))
    }
}
