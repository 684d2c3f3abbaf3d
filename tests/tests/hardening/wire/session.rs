//! A client's session: what every request in it needs, and whether it is well.

use http::{
    Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Value, json};

use super::{Answer, Body, Events, Request, client};

/// One client's session at one edge.
#[derive(Clone)]
pub struct Session {
    pub client: reqwest::Client,
    pub origin: String,
    pub token: Option<String>,
    pub id: String,
    pub revision: String,
}

impl Session {
    /// Begins a session whose client can do everything.
    pub async fn begin(origin: &str, token: Option<&str>, revision: &str) -> Self {
        let mut session = Self {
            client: client(),
            origin: origin.to_owned(),
            token: token.map(str::to_owned),
            id: String::new(),
            revision: revision.to_owned(),
        };
        let initialize = session.initialize();
        let answer = session.send(initialize).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        session.id = answer.header("mcp-session-id").unwrap().to_owned();
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let answer = session.send(session.post(initialized.to_string())).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        session
    }

    /// The same session at another edge.
    pub fn at(&self, origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            ..self.clone()
        }
    }

    /// Another user who uses this session's id.
    pub fn stolen_by(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// With another session id.
    pub fn named(&self, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..self.clone()
        }
    }

    pub fn initialize(&self) -> Request {
        let initialize = json!({
            "jsonrpc": "2.0", "id": "begin", "method": "initialize",
            "params": {
                "protocolVersion": self.revision,
                "capabilities": { "roots": {}, "sampling": {}, "elicitation": { "form": {}, "url": {} } },
                "clientInfo": { "name": "hardening", "version": "1" },
            },
        });
        self.post(initialize.to_string()).without("mcp-session-id")
    }

    /// A request with everything that it needs.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let mut request =
            Request::new(method, path).with(ACCEPT.as_str(), "application/json, text/event-stream");
        if let Some(token) = &self.token {
            request = request.with(AUTHORIZATION.as_str(), format!("Bearer {token}"));
        }
        if !self.id.is_empty() {
            request = request
                .with("mcp-session-id", &self.id)
                .with("mcp-protocol-version", &self.revision);
        }
        request
    }

    /// A POST of these bytes.
    pub fn post(&self, body: impl Into<Vec<u8>>) -> Request {
        Request {
            body: Body::Whole(body.into()),
            ..self
                .request(Method::POST, "/mcp")
                .with(CONTENT_TYPE.as_str(), "application/json")
        }
    }

    /// A POST of one request.
    pub fn call(&self, id: impl Into<Value>, method: &str, params: Value) -> Request {
        let message = json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params });
        self.post(message.to_string())
    }

    pub fn tool(&self, id: impl Into<Value>, name: &str, arguments: Value) -> Request {
        self.call(id, "tools/call", json!({ "name": name, "arguments": arguments }))
    }

    pub async fn send(&self, request: Request) -> Answer {
        request.send(&self.client, &self.origin).await
    }

    pub async fn open(&self, request: Request) -> Events {
        Events::of(request.open(&self.client, &self.origin).await)
    }

    /// The standalone stream.
    pub async fn listen(&self) -> Events {
        self.open(self.request(Method::GET, "/mcp")).await
    }

    /// Resumes after this event.
    pub async fn resume(&self, last_event_id: &str) -> Events {
        let request = self
            .request(Method::GET, "/mcp")
            .with("last-event-id", last_event_id);
        self.open(request).await
    }

    /// Whether the session answers as if nothing had happened; else, what it said.
    pub async fn is_well(&self) -> Result<(), Answer> {
        let answer = self.send(self.call("ping", "ping", json!({}))).await;
        let well = answer.status == 200
            && answer.message() == json!({ "jsonrpc": "2.0", "id": "ping", "result": {} });
        if well { Ok(()) } else { Err(answer) }
    }

    /// Echoes through the feature service.
    pub async fn echoes(&self) -> Result<(), Answer> {
        let answer = self
            .send(self.tool("echo", "echo", json!({ "message": "here" })))
            .await;
        let well = answer.status == 200
            && answer.message()["result"]["content"][0]["text"]
                .as_str()
                .is_some_and(|text| text.contains("here"));
        if well { Ok(()) } else { Err(answer) }
    }
}
