//! The client of the Rust SDK, which shares no code with this server, and the person who uses it.

mod person;
mod tap;

use std::time::Duration;

use anyhow::{Context, ensure};
use rmcp::{
    RoleClient, ServiceExt,
    service::{ClientLifecycleMode, ClientServiceExt, RunningService},
    transport::{
        AuthClient, StreamableHttpClientTransport,
        auth::{AuthorizationRequest, OAuthState},
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::Value;
use tokio::time::timeout;
use url::Url;

use crate::{Browser, REDIRECT_URI};

pub use person::{Message, Person};
use tap::Tap;

/// How long anything may take that a test waits for, on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A session with the server.
pub type Client = RunningService<RoleClient, Person>;

/// An installed client whose user logged in. Sessions opened with it share its tokens.
pub struct Login {
    url: String,
    http: AuthClient<Tap>,
}

/// What the client holds of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub client_id: String,
    pub access_token: String,
    pub refresh_token: String,
}

impl Login {
    /// Logs in, knowing nothing but the address of the MCP endpoint: its 401 leads the SDK to the resource's metadata
    /// (RFC 9728), to the authorization server's (RFC 8414), to registration (RFC 7591) and to the page that the browser
    /// is sent to.
    pub async fn new(url: &str, browser: &mut Browser) -> anyhow::Result<Self> {
        let challenge = challenge(url).await?;
        let mut oauth = OAuthState::new(url, None).await?;
        let request = AuthorizationRequest::new(REDIRECT_URI)
            .with_client_name("rmcp")
            .with_challenge(challenge);
        oauth
            .start_authorization(request)
            .await
            .context("cannot begin to authorize")?;
        let page: Url = oauth.get_authorization_url().await?.parse()?;
        let asked =
            |name: &str, value: &str| page.query_pairs().any(|pair| pair == (name.into(), value.into()));
        ensure!(asked("code_challenge_method", "S256"), "no PKCE: {page}");
        ensure!(asked("resource", url), "not for this server (RFC 8707): {page}");
        let back = browser.follow(page).await?;
        oauth
            .handle_callback_url(back.as_str())
            .await
            .context("no token")?;
        let manager = oauth.into_authorization_manager().context("not authorized")?;
        Ok(Self {
            url: url.to_owned(),
            http: AuthClient::new(Tap::default(), manager),
        })
    }

    /// Opens a session. `person` answers what the server asks.
    pub async fn open(&self, person: Person) -> anyhow::Result<Client> {
        self.open_in(ClientLifecycleMode::Initialize, person).await
    }

    /// Opens a session, or goes without one.
    pub async fn open_in(&self, lifecycle: ClientLifecycleMode, person: Person) -> anyhow::Result<Client> {
        let config = StreamableHttpClientTransportConfig::with_uri(self.url.as_str());
        let transport = StreamableHttpClientTransport::with_client(self.http.clone(), config);
        let client = timeout(DEADLINE, person.serve_with_lifecycle(transport, lifecycle)).await;
        client
            .context("the handshake takes too long")?
            .context("no handshake")
    }

    /// The session that was opened last.
    pub fn session_id(&self) -> Option<String> {
        self.http.http_client.session_id()
    }

    /// Sessions that the server confirmed to have deleted.
    pub fn deleted(&self) -> Vec<String> {
        self.http.http_client.deleted()
    }

    pub async fn held(&self) -> anyhow::Result<Held> {
        let manager = self.http.auth_manager.lock().await;
        let (client_id, tokens) = manager.get_credentials().await?;
        let tokens = serde_json::to_value(tokens.context("no tokens")?)?;
        let text = |name: &str| {
            let value = tokens[name].as_str().map(str::to_owned);
            value.with_context(|| format!("no {name}"))
        };
        Ok(Held {
            client_id,
            access_token: text("access_token")?,
            refresh_token: text("refresh_token")?,
        })
    }

    /// Has the SDK get new tokens for the refresh token.
    pub async fn refresh(&self) -> anyhow::Result<()> {
        let manager = self.http.auth_manager.lock().await;
        manager.refresh_token().await.context("not refreshed")?;
        Ok(())
    }

    /// Gives a token back (RFC 7009), where the server's metadata says. The SDK has no call for it.
    pub async fn revoke(&self, token: &str) -> anyhow::Result<()> {
        let (endpoint, client_id) = {
            let manager = self.http.auth_manager.lock().await;
            let metadata = manager.resolve_metadata().await?.metadata;
            let endpoint = metadata.additional_fields.get("revocation_endpoint");
            let endpoint = endpoint.and_then(Value::as_str).map(str::to_owned);
            (
                endpoint.context("no revocation endpoint")?,
                manager.get_credentials().await?.0,
            )
        };
        let form = [("token", token), ("client_id", &client_id)];
        let answer = reqwest::Client::new().post(endpoint).form(&form).send().await?;
        ensure!(answer.status() == 200, "not revoked: {}", answer.status());
        Ok(())
    }
}

/// How the server refuses who has no token.
async fn challenge(url: &str) -> anyhow::Result<String> {
    let transport = StreamableHttpClientTransport::from_uri(url);
    match Person::default().serve(transport).await {
        Ok(_) => anyhow::bail!("a session without a login"),
        Err(error) => error
            .auth_challenge()
            .map(str::to_owned)
            .with_context(|| format!("no challenge: {error}")),
    }
}
