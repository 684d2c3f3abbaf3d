//! A split stack with two edges that exports to a receiver, and a client that says which trace it is in.

use http::Method;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use system_tests::{
    Browser, OtlpReceiver, Stack,
    client::{McpClient, Response, SseStream},
    otlp::{Kind, Span},
};

pub const SESSIONS: &str = "2025-11-25";
pub const STATELESS: &str = "2026-07-28";

/// Both ways to speak MCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    Sessions,
    Stateless,
}

pub struct World {
    pub receiver: OtlpReceiver,
    pub stack: Stack,
    pub token: String,
}

/// A tool that asks its client, and what there is to say about it.
pub struct Question {
    pub tool: &'static str,
    arguments: Value,
    /// What the client is asked.
    pub method: &'static str,
    pub answer: Value,
    /// The text of the tool's result.
    pub end: &'static str,
}

/// A client of one edge.
pub struct Client {
    era: Era,
    mcp: McpClient,
}

impl World {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let receiver = OtlpReceiver::start().await.unwrap();
        let mut stack = Stack::builder().processes().redis().edges(2);
        for (name, value) in receiver.settings() {
            stack = stack.setting(name, &value);
        }
        // Nothing happens by itself.
        let quiet = [
            "RESOURCE_UPDATE_PERIOD_MS",
            "RANDOM_LOG_PERIOD_MS",
            "STDERR_PERIOD_MS",
        ];
        for name in quiet {
            stack = stack.setting(name, "0");
        }
        for (name, value) in settings {
            stack = stack.setting(name, value);
        }
        let stack = stack.start().await.unwrap_or_else(|error| panic!("{error:#}"));
        let mut browser = Browser::of("alice").unwrap();
        let token = browser.log_in(&stack.url("/mcp")).await.unwrap().access_token;
        Self {
            receiver,
            stack,
            token,
        }
    }

    /// A client at edge 0 that can be asked for everything. Both edges know it, and what it calls, already.
    pub async fn client(&self, era: Era) -> Client {
        let url = self.stack.edge_url(0, "/mcp");
        let mcp = match era {
            Era::Sessions => {
                let capabilities = json!({"sampling": {}, "elicitation": {}, "roots": {}});
                McpClient::connect(&url, SESSIONS, capabilities, Some(&self.token))
                    .await
                    .unwrap()
            }
            Era::Stateless => McpClient::without_session(&url, Some(&self.token)),
        };
        let client = Client { era, mcp };
        for edge in [0, 1] {
            let client = self.at(&client, edge);
            for tool in ["echo", "sampleLLM"] {
                let arguments = json!({"message": "warm", "prompt": "warm"});
                let request = client.post("tools/call", json!({"name": tool, "arguments": arguments}));
                if tool == "echo" || era == Era::Stateless {
                    let response = Response::read(request.send().await.unwrap()).await.unwrap();
                    assert_eq!(response.status, 200, "{}", response.text());
                }
            }
        }
        client
    }

    /// The same client at another edge.
    pub fn at(&self, client: &Client, edge: usize) -> Client {
        Client {
            era: client.era,
            mcp: client.mcp.at(&self.stack.edge_url(edge, "/mcp")),
        }
    }

    /// Waits until a trace looks like this, without its Redis commands and without what caches save when they are warm:
    /// they may be emptied at any time. Returns the whole trace.
    pub async fn expect(&self, trace_id: &str, expected: &str) -> Vec<Span> {
        self.receiver.expect_tree(trace_id, is_pictured, expected).await
    }

    /// Waits for a span.
    pub async fn span(&self, what: &str, is_it: impl Fn(&Span) -> bool) -> Span {
        let found = |spans: &[Span]| spans.iter().find(|span| is_it(span)).cloned();
        let span = self.receiver.spans_until(found).await;
        span.unwrap_or_else(|| panic!("there is no span of {what} among {:#?}", self.receiver.spans()))
    }
}

impl Question {
    /// The params of the call.
    pub fn call(&self) -> Value {
        json!({ "name": self.tool, "arguments": self.arguments })
    }
}

impl Client {
    /// A request that a test may add headers to.
    pub fn post(&self, method: &str, params: Value) -> RequestBuilder {
        self.post_as(self.mcp.next_id(), method, params)
    }

    pub fn post_as(&self, id: i64, method: &str, params: Value) -> RequestBuilder {
        let mut params = params;
        let mut request = self.mcp.prepare(Method::POST);
        if self.era == Era::Stateless {
            let meta = json!({
                "io.modelcontextprotocol/protocolVersion": STATELESS,
                "io.modelcontextprotocol/clientInfo": {"name": "system tests", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {"sampling": {}, "elicitation": {}, "roots": {}},
            });
            for (name, value) in meta.as_object().unwrap() {
                if params["_meta"].get(name).is_none() {
                    params["_meta"][name] = value.clone();
                }
            }
            request = request
                .header("mcp-protocol-version", STATELESS)
                .header("mcp-method", method);
            if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
                request = request.header("mcp-name", name);
            }
        }
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        request
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    /// The client's answer to a question, as a part of the trace that the question named.
    pub async fn answer(&self, question: &Value, result: Value) {
        let body = json!({"jsonrpc": "2.0", "id": question["id"], "result": result});
        self.respond(question, body).await;
    }

    /// The same, but an error.
    pub async fn refuse(&self, question: &Value, error: Value) {
        let body = json!({"jsonrpc": "2.0", "id": question["id"], "error": error});
        self.respond(question, body).await;
    }

    async fn respond(&self, question: &Value, body: Value) {
        let request = self
            .mcp
            .prepare(Method::POST)
            .header("content-type", "application/json")
            .header(
                "traceparent",
                question["params"]["_meta"]["traceparent"].as_str().unwrap(),
            );
        let response = request.body(body.to_string()).send().await.unwrap();
        assert_eq!(response.status(), 202);
    }

    pub fn session_id(&self) -> &str {
        self.mcp.session_id()
    }

    pub async fn stream(&self) -> SseStream {
        self.mcp.get(None).await.unwrap()
    }

    pub async fn resume(&self, last_event_id: &str) -> SseStream {
        self.mcp.get(Some(last_event_id)).await.unwrap()
    }
}

/// A trace of the client's own: its id, and the `traceparent` of its span.
pub fn from_outside() -> (String, String) {
    let id = uuid();
    let traceparent = format!("00-{id}-00f067aa0ba902b7-01");
    (id, traceparent)
}

pub async fn send(request: RequestBuilder) -> Response {
    Response::read(request.send().await.unwrap()).await.unwrap()
}

pub fn echo() -> Value {
    json!({"name": "echo", "arguments": {"message": "hello"}})
}

/// One for each method that a server may ask its client with.
pub fn questions() -> [Question; 3] {
    [
        Question {
            tool: "sampleLLM",
            arguments: json!({ "prompt": "hello" }),
            method: "sampling/createMessage",
            answer: json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "hi"}}),
            end: "LLM sampling result: hi",
        },
        Question {
            tool: "elicitInputs",
            arguments: json!({}),
            method: "elicitation/create",
            answer: json!({ "action": "accept", "content": { "name": "Ada" } }),
            end: "User provided the requested information:\n- name: Ada",
        },
        Question {
            tool: "getRoots",
            arguments: json!({}),
            method: "roots/list",
            answer: json!({ "roots": [{ "uri": "file:///home/ada", "name": "home" }] }),
            end: "Current MCP roots (1 total):\n1. home\n   URI: file:///home/ada",
        },
    ]
}

/// Which spans are in pictures.
pub fn is_pictured(span: &Span) -> bool {
    is_no_command(span) && !is_lookup(span)
}

pub fn is_no_command(span: &Span) -> bool {
    span.attribute("db.system.name").is_empty()
}

/// Whose token, whose session, and to hear of it from now on.
fn is_lookup(span: &Span) -> bool {
    let lookups = [
        "follow session",
        "everything.auth.v1.AuthService/Introspect",
        "everything.session.v1.SessionService/Get",
    ];
    lookups.contains(&&*span.name)
}

pub fn is_server(span: &Span, name: &str) -> bool {
    span.kind == Kind::Server && span.name == name
}

fn uuid() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64;
    format!("{now:016x}{:016x}", NUMBER.fetch_add(1, Ordering::Relaxed))
}
