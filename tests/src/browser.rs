//! A browser with a person in front of it, as far as logging in goes: it keeps cookies, follows redirects, and fills in
//! and submits the forms that it is shown.

mod forms;

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, Response, header, redirect::Policy};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use forms::Form;

/// Where the code is sent. Nobody listens there: the browser stops when it is sent there.
pub const REDIRECT_URI: &str = "http://127.0.0.1:8976/callback";
/// RFC 7636 appendix B.
const CODE_VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Pages and redirects of one login; more means that it goes round in circles.
const STEPS: usize = 12;

/// One user's browser.
pub struct Browser {
    client: Client,
    user: String,
    /// What the client asks for; none leaves it to the server.
    scope: Option<String>,
    cookies: BTreeMap<String, String>,
}

/// What a login ends with.
#[derive(Clone)]
pub struct Tokens {
    pub client_id: String,
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub token_endpoint: String,
    /// The whole token response.
    pub response: Value,
}

impl Browser {
    /// A fresh browser, whose user types this user id.
    pub fn of(user: &str) -> anyhow::Result<Self> {
        let client = Client::builder().redirect(Policy::none()).build()?;
        Ok(Self {
            client,
            user: user.to_owned(),
            scope: None,
            cookies: BTreeMap::new(),
        })
    }

    /// Every cookie that it was given, by name.
    pub fn cookies(&self) -> &BTreeMap<String, String> {
        &self.cookies
    }

    /// Asks for these scopes only, separated by spaces.
    pub fn asking_for(mut self, scope: &str) -> Self {
        self.scope = Some(scope.to_owned());
        self
    }

    /// Logs in to the MCP endpoint at `mcp_url`, knowing nothing but that address: discovers the authorization server,
    /// registers a client, and gets it a token.
    pub async fn log_in(&mut self, mcp_url: &str) -> anyhow::Result<Tokens> {
        let (server, resource) = self.discover(mcp_url).await?;
        let endpoint = |name: &str| {
            server[name]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("no {name} in the metadata"))
        };
        let client_id = self.register(&endpoint("registration_endpoint")?).await?;
        let code = self
            .authorize(&endpoint("authorization_endpoint")?, &client_id, &resource)
            .await?;
        let token_endpoint = endpoint("token_endpoint")?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", &client_id),
            ("code_verifier", CODE_VERIFIER),
            ("resource", &resource),
        ];
        let answer = self.client.post(&token_endpoint).form(&form).send().await?;
        let response: Value = good(answer).await.context("no token")?.json().await?;
        let text = |name: &str| response[name].as_str().map(str::to_owned);
        Ok(Tokens {
            client_id,
            access_token: text("access_token").context("no access token")?,
            refresh_token: text("refresh_token"),
            token_endpoint,
            response,
        })
    }

    /// RFC 9728 from the challenge, then RFC 8414. Answers with the server's metadata and the resource.
    async fn discover(&self, mcp_url: &str) -> anyhow::Result<(Value, String)> {
        let challenge = self.client.post(mcp_url).json(&json!({})).send().await?;
        ensure!(
            challenge.status() == 401,
            "not asked to log in but {}",
            challenge.status()
        );
        let header = challenge
            .headers()
            .get(header::WWW_AUTHENTICATE)
            .context("no challenge")?
            .to_str()?;
        let metadata = header
            .split("resource_metadata=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let metadata = metadata.with_context(|| format!("no resource_metadata in {header:?}"))?;
        let resource: Value = good(self.client.get(metadata).send().await?)
            .await?
            .json()
            .await?;
        let issuer: Url = resource["authorization_servers"][0]
            .as_str()
            .context("no authorization server")?
            .parse()?;
        let path = issuer.path().trim_end_matches('/');
        let well_known = issuer.join(&format!("/.well-known/oauth-authorization-server{path}"))?;
        let server: Value = good(self.client.get(well_known).send().await?)
            .await?
            .json()
            .await?;
        let resource = resource["resource"].as_str().context("no resource identifier")?;
        Ok((server, resource.to_owned()))
    }

    async fn register(&self, endpoint: &str) -> anyhow::Result<String> {
        let metadata = json!({
            "client_name": "system tests",
            "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        });
        let answer = self.client.post(endpoint).json(&metadata).send().await?;
        let registered: Value = good(answer).await.context("not registered")?.json().await?;
        Ok(registered["client_id"]
            .as_str()
            .context("no client id")?
            .to_owned())
    }

    /// From the authorization request to the code.
    async fn authorize(&mut self, endpoint: &str, client_id: &str, resource: &str) -> anyhow::Result<String> {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(CODE_VERIFIER));
        let mut url: Url = endpoint.parse()?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client_id)
            .append_pair("redirect_uri", REDIRECT_URI)
            .append_pair("state", "a state")
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("resource", resource);
        if let Some(scope) = &self.scope {
            url.query_pairs_mut().append_pair("scope", scope);
        }
        let back = self.follow(url).await?;
        let parameter = |name: &str| {
            back.query_pairs()
                .find(|(found, _)| found == name)
                .map(|(_, value)| value.into_owned())
        };
        if let Some(error) = parameter("error") {
            bail!(
                "refused: {error}: {}",
                parameter("error_description").unwrap_or_default()
            );
        }
        ensure!(
            parameter("state").as_deref() == Some("a state"),
            "the state came back changed: {back}"
        );
        parameter("code").context("no code")
    }

    /// Opens the page and does what pages and redirects say, until one leads to the client.
    pub async fn follow(&mut self, mut url: Url) -> anyhow::Result<Url> {
        let mut form = None;
        for _ in 0..STEPS {
            if url.as_str().starts_with(REDIRECT_URI) {
                return Ok(url);
            }
            let response = self.open(&url, form.take()).await?;
            if response.status().is_redirection() {
                let location = response
                    .headers()
                    .get(header::LOCATION)
                    .context("a redirect to nowhere")?;
                url = url.join(location.to_str()?)?;
                continue;
            }
            let page = good(response).await?.text().await?;
            let shown = Form::find(&page).with_context(|| format!("no form to fill in: {page}"))?;
            url = url.join(&shown.action)?;
            form = Some(self.fill_in(shown));
        }
        bail!("the login goes round in circles, last at {url}")
    }

    async fn open(&mut self, url: &Url, form: Option<Vec<(String, String)>>) -> anyhow::Result<Response> {
        let request = match form {
            Some(form) => {
                let origin = url.origin().ascii_serialization();
                self.client
                    .post(url.clone())
                    .header(header::ORIGIN, origin)
                    .form(&form)
            }
            None => self.client.get(url.clone()),
        };
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let response = request.header(header::COOKIE, cookies.join("; ")).send().await?;
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
            if let Some((name, value)) = cookie.split_once('=') {
                self.cookies
                    .insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        Ok(response)
    }

    /// Types the user id where one is asked for, and agrees.
    fn fill_in(&self, form: Form) -> Vec<(String, String)> {
        let mut values = form.fields;
        for (name, value) in &mut values {
            if name == "user_id" {
                value.clone_from(&self.user);
            }
        }
        values.extend(form.buttons.into_iter().find(|(_, value)| value != "deny"));
        values
    }
}

async fn good(response: Response) -> anyhow::Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let url = response.url().clone();
    bail!(
        "{status} from {url}: {}",
        response.text().await.unwrap_or_default()
    )
}
