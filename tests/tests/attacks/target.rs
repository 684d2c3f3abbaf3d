//! What is attacked, and the honest moves that attacks are made of.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode};
use reqwest::{Client, redirect::Policy};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use system_tests::{Browser, Builder, REDIRECT_URI, Stack};
use url::Url;

/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub struct Target {
    /// Ends with the test.
    pub stack: Stack,
    pub http: Client,
    pub origin: String,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

/// What a login ended with.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

pub type Pairs = Vec<(String, String)>;

impl Target {
    pub async fn start() -> Self {
        Self::of(Stack::builder().in_process()).await
    }

    pub async fn of(stack: Builder) -> Self {
        let stack = stack.start().await.unwrap();
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        let origin = stack.url("");
        Self { stack, http, origin }
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub async fn get(&self, url: impl AsRef<str>) -> Answer {
        Answer::of(self.http.get(url.as_ref())).await
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        Answer::of(self.http.post(self.at(path)).form(form)).await
    }

    pub async fn register(&self, metadata: &Value) -> Answer {
        Answer::of(self.http.post(self.at("/register")).json(metadata)).await
    }

    /// A public client.
    pub async fn client(&self) -> String {
        let metadata = json!({ "client_name": "a client", "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none" });
        let client = self.register(&metadata).await;
        client.json()["client_id"].as_str().unwrap().to_owned()
    }

    /// A confidential client, and its secret.
    pub async fn confidential(&self) -> (String, String) {
        let metadata =
            json!({ "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "client_secret_post" });
        let client = self.register(&metadata).await.json();
        let text = |name: &str| client[name].as_str().unwrap().to_owned();
        (text("client_id"), text("client_secret"))
    }

    /// An honest authorization request.
    pub fn request(&self, client_id: &str) -> Pairs {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", REDIRECT_URI),
            ("state", "the state"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("resource", &self.at("/mcp")),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    pub fn authorize(&self, request: &Pairs) -> Url {
        Url::parse_with_params(&self.at("/authorize"), request).unwrap()
    }

    /// Where the browser of `user` ends up with this request.
    pub async fn follow(&self, user: &str, request: &Pairs) -> Url {
        let mut browser = Browser::of(user).unwrap();
        browser.follow(self.authorize(request)).await.unwrap()
    }

    pub async fn code(&self, user: &str, client_id: &str) -> String {
        let back = self.follow(user, &self.request(client_id)).await;
        parameter(&back, "code").unwrap_or_else(|| panic!("no code in {back}"))
    }

    pub async fn redeem(&self, client_id: &str, code: &str) -> Answer {
        self.redeem_with(client_id, code, &[]).await
    }

    /// Honest but for what `changes` says; an empty value leaves a parameter out.
    pub async fn redeem_with(&self, client_id: &str, code: &str, changes: &[(&str, &str)]) -> Answer {
        let resource = self.at("/mcp");
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", client_id),
            ("code_verifier", VERIFIER),
            ("resource", &resource),
        ];
        form.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        form.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        self.post("/token", &form).await
    }

    pub async fn refresh(&self, client_id: &str, token: &str) -> Answer {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", client_id),
            ("refresh_token", token),
        ];
        self.post("/token", &form).await
    }

    pub async fn log_in(&self, user: &str, client_id: &str) -> Tokens {
        let code = self.code(user, client_id).await;
        self.redeem(client_id, &code).await.tokens()
    }

    /// Begins a session with the token.
    pub async fn use_token(&self, token: &str) -> Answer {
        let call = self.call().header("authorization", format!("Bearer {token}"));
        Answer::of(call).await
    }

    /// Waits until a token is dead at this edge. What kills it by itself, as theft does, is known everywhere within
    /// 100 ms; the deadline allows for a busy machine.
    pub async fn dies(&self, token: &str) {
        let deadline = Instant::now() + Duration::from_secs(2);
        while self.use_token(token).await.status != StatusCode::UNAUTHORIZED {
            assert!(Instant::now() < deadline, "the token still works");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A request to the MCP endpoint, without a token.
    pub fn call(&self) -> reqwest::RequestBuilder {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "attack", "version": "1" },
        } });
        self.http
            .post(self.at("/mcp"))
            .header("accept", "application/json, text/event-stream")
            .json(&message)
    }
}

impl Answer {
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        Self {
            status: response.status(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The OAuth error code.
    pub fn error(&self) -> String {
        assert!(self.status.is_client_error(), "not refused: {self:?}");
        self.json()["error"].as_str().unwrap().to_owned()
    }

    pub fn tokens(&self) -> Tokens {
        assert_eq!(self.status, 200, "{self:?}");
        let tokens = self.json();
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        Tokens {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }

    /// A page that says what is wrong, and leads nowhere.
    pub fn is_dead_end(&self) -> bool {
        self.status.is_client_error()
            && !self.headers.contains_key("location")
            && self.header("content-type").starts_with("text/html")
    }

    /// The value of a hidden field of the page.
    pub fn field(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\" value=\"");
        let rest = self.text.split(&marker).nth(1);
        let rest = rest.unwrap_or_else(|| panic!("no {name} in {}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }

    /// `name=value` of the cookie that it sets.
    pub fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap().to_owned()
    }
}

pub fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    pairs
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
}

/// The request with a parameter changed, added, or (empty) left out.
pub fn changed(mut request: Pairs, name: &str, value: &str) -> Pairs {
    request.retain(|(found, _)| found != name);
    if !value.is_empty() {
        request.push((name.to_owned(), value.to_owned()));
    }
    request
}
