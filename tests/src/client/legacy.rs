//! HTTP+SSE of 2024-11-05: one stream for everything that the server says, and POSTs that are only taken.

use anyhow::{Context, ensure};
use reqwest::{Client, RequestBuilder, header};
use serde_json::{Value, json};
use url::Url;

use super::{Response, SseStream};

/// One session, with its stream.
pub struct LegacyClient {
    http: Client,
    token: Option<String>,
    /// Where the server said that messages go, as a path.
    endpoint: String,
    base: Url,
    pub stream: SseStream,
    next_id: i64,
}

impl LegacyClient {
    /// Opens the stream at `sse_url`, then `initialize` and `notifications/initialized`.
    pub async fn connect(sse_url: &str, capabilities: Value, token: Option<&str>) -> anyhow::Result<Self> {
        let mut client = Self::open(sse_url, token, None).await?;
        let params = json!({
            "protocolVersion": "2024-11-05",
            "capabilities": capabilities,
            "clientInfo": {"name": "system tests", "version": "1"},
        });
        let result = client.call("initialize", params).await;
        let result = result.map_err(|error| anyhow::anyhow!("initialize failed: {error}"))?;
        ensure!(result["protocolVersion"] == "2024-11-05", "agreed on {result}");
        client.notify("notifications/initialized", json!({})).await?;
        Ok(client)
    }

    /// Opens the stream, new or where an earlier one was left, and reads the endpoint.
    pub async fn open(
        sse_url: &str,
        token: Option<&str>,
        last_event_id: Option<&str>,
    ) -> anyhow::Result<Self> {
        let http = Client::new();
        let mut request = http.get(sse_url).header(header::ACCEPT, "text/event-stream");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let mut stream = SseStream::open(request).await?;
        let first = stream.next().await.context("no endpoint event")?;
        ensure!(
            first.event.as_deref() == Some("endpoint"),
            "the first event is {first:?}"
        );
        Ok(Self {
            http,
            token: token.map(str::to_owned),
            endpoint: first.data,
            base: sse_url.parse()?,
            stream,
            next_id: 1,
        })
    }

    /// Posts through another edge from now on.
    pub fn post_at(&mut self, sse_url: &str) -> anyhow::Result<()> {
        self.base = sse_url.parse()?;
        Ok(())
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn session_id(&self) -> &str {
        self.endpoint.split_once("sessionId=").map_or("", |(_, id)| id)
    }

    /// Posts a request and reads the stream up to its answer; what comes before it is passed over.
    pub async fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.send(method, params).await.expect("the request is taken");
        self.answer(id).await
    }

    /// Posts a request; answers with its id.
    pub async fn send(&mut self, method: &str, params: Value) -> anyhow::Result<i64> {
        let id = self.next_id;
        self.next_id += 1;
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let response = self.post(&message).await?;
        ensure!(response.status == 202, "{method} was answered by {response:?}");
        Ok(id)
    }

    /// Reads the stream up to the answer to this id.
    pub async fn answer(&mut self, id: i64) -> Result<Value, Value> {
        loop {
            let mut message = self.stream.message().await;
            if message["id"] == id && message.get("method").is_none() {
                return match message.get_mut("error") {
                    Some(error) => Err(error.take()),
                    None => Ok(message["result"].take()),
                };
            }
        }
    }

    pub async fn notify(&self, method: &str, params: Value) -> anyhow::Result<Response> {
        self.post(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
            .await
    }

    pub async fn respond(&self, id: &Value, result: Value) -> anyhow::Result<Response> {
        self.post(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
            .await
    }

    pub async fn post(&self, message: &Value) -> anyhow::Result<Response> {
        self.post_as(self.token.as_deref(), message).await
    }

    /// Posts to this session with another user's token.
    pub async fn post_as(&self, token: Option<&str>, message: &Value) -> anyhow::Result<Response> {
        let request: RequestBuilder = self.http.post(self.base.join(&self.endpoint)?).json(message);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        Response::read(request.send().await?).await
    }
}
