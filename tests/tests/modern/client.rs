use http::Method;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use system_tests::client::{McpClient, Response, SseStream};

pub const VERSION: &str = "2026-07-28";
pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// A client that keeps nothing between two requests.
#[derive(Clone)]
pub struct Modern(McpClient);

impl Modern {
    pub fn new(url: &str, token: Option<&str>) -> Self {
        Self(McpClient::without_session(url, token).with_version(Some(VERSION)))
    }

    pub fn at(&self, url: &str) -> Self {
        Self(self.0.at(url))
    }

    /// A request with all headers that it needs, to which a test may add.
    pub fn prepare(&self, id: &Value, method: &str, params: &Value) -> RequestBuilder {
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let mut request = self
            .bare(&body)
            .header("mcp-method", method)
            .header("mcp-protocol-version", VERSION);
        let names = ["name", "uri", "taskId"];
        if let Some(name) = names.iter().find_map(|name| params[*name].as_str()) {
            request = request.header("mcp-name", name);
        }
        request
    }

    /// Without the headers of this revision.
    pub fn bare(&self, body: &Value) -> RequestBuilder {
        self.0
            .with_version(None)
            .prepare(Method::POST)
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    pub async fn ask(&self, method: &str, params: Value) -> Response {
        send(self.prepare(&json!(1), method, &with_meta(params))).await
    }

    pub async fn tool(&self, name: &str, arguments: Value) -> Response {
        self.ask("tools/call", json!({ "name": name, "arguments": arguments }))
            .await
    }

    pub async fn open(&self, id: Value, method: &str, params: Value) -> SseStream {
        let request = self.prepare(&id, method, &with_meta(params));
        SseStream::open(request).await.unwrap()
    }

    /// An open stream of changes, and its acknowledgement.
    pub async fn listen(&self, id: Value, filter: Value) -> (SseStream, Value) {
        let params = json!({ "notifications": filter });
        let mut stream = self.open(id, "subscriptions/listen", params).await;
        let first = stream.message().await;
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
        (stream, first)
    }
}

pub async fn send(request: RequestBuilder) -> Response {
    Response::read(request.send().await.unwrap()).await.unwrap()
}

/// What every request says of itself, unless the test said it.
pub fn with_meta(mut params: Value) -> Value {
    for (name, value) in [
        (PROTOCOL_VERSION, json!(VERSION)),
        (CLIENT_INFO, json!({ "name": "system tests", "version": "1" })),
        (
            CLIENT_CAPABILITIES,
            json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {}, "roots": {} }),
        ),
    ] {
        if params["_meta"].get(name).is_none() {
            params["_meta"][name] = value;
        }
    }
    params
}
