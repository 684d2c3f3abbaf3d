//! A raw MCP client that shares nothing with the edge: it sends what it is told to, also what no SDK would, and shows
//! status, headers, bodies and events as they came.

mod legacy;
mod response;
mod sse;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use anyhow::{Context, ensure};
use reqwest::{Client, Method, RequestBuilder, header};
use serde_json::{Value, json};

pub use legacy::LegacyClient;
pub use response::Response;
pub(crate) use sse::Parser;
pub use sse::{Event, SseStream};

/// One session of Streamable HTTP. Clones share the session, and never use a JSON-RPC id twice.
#[derive(Clone)]
pub struct McpClient {
    http: Client,
    url: String,
    token: Option<String>,
    /// What `initialize` answered with.
    server: Arc<Value>,
    /// `MCP-Protocol-Version` as sent; none for revisions without the header.
    version: Option<String>,
    session_id: Option<String>,
    ids: Arc<AtomicI64>,
}

impl McpClient {
    /// `initialize`, then `notifications/initialized`.
    pub async fn connect(
        url: &str,
        revision: &str,
        capabilities: Value,
        token: Option<&str>,
    ) -> anyhow::Result<Self> {
        let client = Self::begin(url, revision, capabilities, token).await?;
        let status = client
            .notify("notifications/initialized", json!({}))
            .await?
            .status;
        ensure!(
            status == 202,
            "notifications/initialized was answered by {status}"
        );
        Ok(client)
    }

    /// Only `initialize`.
    pub async fn begin(
        url: &str,
        revision: &str,
        capabilities: Value,
        token: Option<&str>,
    ) -> anyhow::Result<Self> {
        let mut client = Self::without_session(url, token);
        let params = json!({
            "protocolVersion": revision,
            "capabilities": capabilities,
            "clientInfo": {"name": "system tests", "version": "1"},
        });
        let response = client.request("initialize", params).await?;
        ensure!(response.status == 200, "initialize was answered by {response:?}");
        let result = response
            .result()
            .map_err(|error| anyhow::anyhow!("initialize failed: {error}"))?;
        let agreed = result["protocolVersion"].as_str().context("no protocolVersion")?;
        client.version = (agreed >= "2025-06-18").then(|| agreed.to_owned());
        client.session_id = response
            .headers
            .get("mcp-session-id")
            .map(|id| id.to_str().unwrap_or_default().to_owned());
        client.server = Arc::new(result);
        Ok(client)
    }

    /// A client that has not said anything yet.
    pub fn without_session(url: &str, token: Option<&str>) -> Self {
        Self {
            http: Client::new(),
            url: url.to_owned(),
            token: token.map(str::to_owned),
            server: Arc::default(),
            version: None,
            session_id: None,
            ids: Arc::new(AtomicI64::new(1)),
        }
    }

    /// The same session through another edge.
    pub fn at(&self, url: &str) -> Self {
        let mut other = self.clone();
        url.clone_into(&mut other.url);
        other
    }

    /// The same session id in the hands of somebody else.
    pub fn with_token(&self, token: Option<&str>) -> Self {
        let mut other = self.clone();
        other.token = token.map(str::to_owned);
        other
    }

    /// The same user with another session id.
    pub fn with_session(&self, session_id: Option<&str>) -> Self {
        let mut other = self.clone();
        other.session_id = session_id.map(str::to_owned);
        other
    }

    /// The same session with another `MCP-Protocol-Version`.
    pub fn with_version(&self, version: Option<&str>) -> Self {
        let mut other = self.clone();
        other.version = version.map(str::to_owned);
        other
    }

    pub fn session_id(&self) -> &str {
        self.session_id.as_deref().unwrap_or_default()
    }

    /// The result of `initialize`.
    pub fn server(&self) -> &Value {
        &self.server
    }

    /// An id that this session has not used.
    pub fn next_id(&self) -> i64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// A request with a fresh id; answers with whatever came back, read to its end.
    pub async fn request(&self, method: &str, params: Value) -> anyhow::Result<Response> {
        self.request_as(json!(self.next_id()), method, params).await
    }

    pub async fn request_as(&self, id: Value, method: &str, params: Value) -> anyhow::Result<Response> {
        self.post(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .await
    }

    /// The result or the error of a request, whether it came as JSON or at the end of a stream.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, Value> {
        let response = self.request(method, params).await.expect("an answer");
        response.result()
    }

    /// `tools/call`, whose result must not be a protocol error.
    pub async fn tool(&self, name: &str, arguments: Value) -> Value {
        let result = self
            .call("tools/call", json!({"name": name, "arguments": arguments}))
            .await;
        result.unwrap_or_else(|error| panic!("{name} failed: {error}"))
    }

    /// A request whose answer must be a stream, which is left open.
    pub async fn open(&self, method: &str, params: Value) -> anyhow::Result<SseStream> {
        self.open_as(json!(self.next_id()), method, params).await
    }

    pub async fn open_as(&self, id: Value, method: &str, params: Value) -> anyhow::Result<SseStream> {
        self.open_post(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .await
    }

    pub async fn open_post(&self, message: &Value) -> anyhow::Result<SseStream> {
        let request = self
            .prepare(Method::POST)
            .header(header::CONTENT_TYPE, "application/json");
        SseStream::open(request.body(message.to_string())).await
    }

    /// The standalone stream, or where an earlier stream was left.
    pub async fn get(&self, last_event_id: Option<&str>) -> anyhow::Result<SseStream> {
        SseStream::open(self.prepare_get(last_event_id)).await
    }

    /// A GET that may be refused.
    pub async fn try_get(&self, last_event_id: Option<&str>) -> anyhow::Result<Response> {
        Response::read(self.prepare_get(last_event_id).send().await?).await
    }

    pub async fn notify(&self, method: &str, params: Value) -> anyhow::Result<Response> {
        self.post(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
            .await
    }

    /// Answers a request of the server.
    pub async fn respond(&self, id: &Value, result: Value) -> anyhow::Result<Response> {
        self.post(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
            .await
    }

    pub async fn respond_error(&self, id: &Value, code: i64, message: &str) -> anyhow::Result<Response> {
        self.post(&json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}))
            .await
    }

    pub async fn delete(&self) -> anyhow::Result<Response> {
        Response::read(self.prepare(Method::DELETE).send().await?).await
    }

    pub async fn post(&self, message: &Value) -> anyhow::Result<Response> {
        self.post_bytes(message.to_string(), "application/json").await
    }

    /// Any bytes as the body.
    pub async fn post_bytes(
        &self,
        body: impl Into<reqwest::Body>,
        content_type: &str,
    ) -> anyhow::Result<Response> {
        let request = self
            .prepare(Method::POST)
            .header(header::CONTENT_TYPE, content_type);
        Response::read(request.body(body).send().await?).await
    }

    fn prepare_get(&self, last_event_id: Option<&str>) -> RequestBuilder {
        let request = self.prepare(Method::GET);
        match last_event_id {
            Some(id) => request.header("last-event-id", id),
            None => request,
        }
    }

    /// A request with all headers that a client sends; a test may add more, or send it as it is.
    pub fn prepare(&self, method: Method) -> RequestBuilder {
        let accept = match method {
            Method::GET => "text/event-stream",
            _ => "application/json, text/event-stream",
        };
        let mut request = self
            .http
            .request(method, &self.url)
            .header(header::ACCEPT, accept);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(session_id) = &self.session_id {
            request = request.header("mcp-session-id", session_id);
        }
        if let Some(version) = &self.version {
            request = request.header("mcp-protocol-version", version);
        }
        request
    }
}
