//! One MCP operation: a request or notification of the client, or one to the client, from its message to what came of
//! it (OpenTelemetry semantic conventions for MCP).

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::extract::FromRequestParts;
use bytes::Bytes;
use everything_proto::events::v1::Change;
use http::request::Parts;
use serde::Deserialize;
use serde_json::value::RawValue;
use telemetry::{
    conventions::{
        general::{
            CANCELLED, CLIENT_ADDRESS, HTTP, NETWORK_PROTOCOL_NAME, NETWORK_PROTOCOL_VERSION,
            NETWORK_TRANSPORT, TCP,
        },
        hashed,
        mcp::{
            EXECUTE_TOOL, GEN_AI_OPERATION_NAME, GEN_AI_PROMPT_NAME, GEN_AI_TOOL_NAME, JSONRPC_REQUEST_ID,
            MCP_METHOD_NAME, MCP_PROTOCOL_VERSION, MCP_RESOURCE_URI, MCP_SESSION_ID, TOOL_ERROR,
        },
        rpc::RPC_RESPONSE_STATUS_CODE,
    },
    metrics::mcp::{McpServerMetrics, Operation as Measured, Outcome},
    propagation::{self, TraceParent},
    spans,
};
use tracing::Span;

use super::{refusal::HttpRefusal, requests::Failure, sessions::NoSession};
use crate::{
    State,
    jsonrpc::{RequestId, RpcError, context},
    middleware::{client_address::ClientIp, trace::Facts},
    revisions,
};

/// Longest method or target in a span's name, characters. Both are the client's words.
const MAX_NAME: usize = 64;

/// The call went to another edge.
const TAKEN_OVER: &str = "taken_over";

/// What brought a message.
#[derive(Clone, Debug)]
pub struct Carrier {
    version: http::Version,
    client: IpAddr,
    facts: Facts,
    metrics: McpServerMetrics,
}

impl FromRequestParts<State> for Carrier {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Infallible> {
        Ok(Self {
            facts: Facts::of(&parts.extensions),
            metrics: state.metrics.mcp.clone(),
            version: parts.version,
            client: ClientIp::of(&parts.extensions).0,
        })
    }
}

/// An operation under way. Clones are the same one; if the last is dropped before it has ended, it was cancelled.
#[derive(Clone, Debug)]
pub struct Operation(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    span: Span,
    is_tool: bool,
    ended: AtomicBool,
    facts: Facts,
    measured: Mutex<Option<Measured>>,
}

impl Operation {
    /// A message of the client. Its own context, in `_meta`, comes before that of the HTTP request, which is linked then.
    pub fn of_client(carrier: &Carrier, method: &str, params: Option<&RawValue>) -> Self {
        let http = Span::current();
        let is_tool = method == "tools/call";
        carrier.facts.mcp_method(method);
        let exported = spans::is_exported(&http);
        if !exported && !carrier.metrics.is_enabled() {
            return Self::with_facts(Span::none(), is_tool, carrier.facts.clone(), None);
        }
        let seen = context::Glimpse::of(params);
        let target = match method {
            "tools/call" | "prompts/get" => seen.name.as_deref(),
            _ => None,
        };
        let measured = carrier.metrics.begin(method, target);
        if !exported {
            return Self::with_facts(Span::none(), is_tool, carrier.facts.clone(), measured);
        }
        let span = tracing::info_span!(
            parent: None,
            "mcp.server",
            otel.name = name(method, target),
            otel.kind = "server",
        );
        if seen.sender.is_valid() {
            propagation::set_parent(&span, &seen.sender);
            propagation::link_local(&span, &http);
        } else {
            propagation::set_local_parent(&span, &http);
        }
        spans::set_text(&span, MCP_METHOD_NAME, method);
        match (method, target) {
            ("tools/call", Some(tool)) => spans::set_text(&span, GEN_AI_TOOL_NAME, tool),
            ("prompts/get", Some(prompt)) => spans::set_text(&span, GEN_AI_PROMPT_NAME, prompt),
            _ => {}
        }
        if is_tool {
            spans::set(&span, GEN_AI_OPERATION_NAME, EXECUTE_TOOL);
        }
        if let Some(uri) = &seen.uri
            && method.starts_with("resources/")
        {
            spans::set_text(&span, MCP_RESOURCE_URI, uri);
        }
        spans::set(&span, NETWORK_PROTOCOL_VERSION, http_version(carrier.version));
        spans::set(&span, CLIENT_ADDRESS, carrier.client.to_string());
        set_transport(&span);
        Self::with_facts(span, is_tool, carrier.facts.clone(), measured)
    }

    /// A request of the client that another edge took, and this one runs again.
    pub fn taken_over(method: &str, params: Option<&RawValue>) -> Self {
        let seen = context::Glimpse::of(params);
        let target = match method {
            "tools/call" | "prompts/get" => seen.name.as_deref(),
            _ => None,
        };
        let span = tracing::info_span!(
            parent: None,
            "mcp.server",
            otel.name = name(method, target),
            otel.kind = "server",
        );
        if seen.sender.is_valid() {
            propagation::set_parent(&span, &seen.sender);
        }
        spans::set_text(&span, MCP_METHOD_NAME, method);
        set_transport(&span);
        Self::new(span, method == "tools/call")
    }

    /// A message to the client, as a part of whatever the current span is about.
    pub fn to_client(method: &'static str) -> Self {
        let span = tracing::info_span!("mcp.client", otel.name = method, otel.kind = "client");
        spans::set(&span, MCP_METHOD_NAME, method);
        set_transport(&span);
        Self::new(span, false)
    }

    /// The notification of a change that `cause` led to. `stream`, which carries it, is linked.
    pub fn of_change(change: &Change, cause: &TraceParent, stream: &Span) -> Self {
        let Some(method) = revisions::change_method(change) else {
            return Self::new(Span::none(), false);
        };
        if !cause.is_valid() || !spans::is_exported(stream) {
            return Self::new(Span::none(), false);
        }
        let span = tracing::info_span!(
            parent: None,
            "mcp.client",
            otel.name = method,
            otel.kind = "client",
        );
        propagation::set_parent(&span, cause);
        propagation::link(&span, cause);
        propagation::link_local(&span, stream);
        spans::set(&span, MCP_METHOD_NAME, method);
        set_transport(&span);
        Self::new(span, false)
    }

    /// One that is the server's own.
    fn new(span: Span, is_tool: bool) -> Self {
        Self::with_facts(span, is_tool, Facts::default(), None)
    }

    fn with_facts(span: Span, is_tool: bool, facts: Facts, measured: Option<Measured>) -> Self {
        Self(Arc::new(Inner {
            span,
            is_tool,
            ended: AtomicBool::new(false),
            facts,
            measured: Mutex::new(measured),
        }))
    }

    /// It has an answer, under this id.
    pub fn with_id(self, id: &RequestId) -> Self {
        match id {
            RequestId::String(text) => self.with_text_id(text),
            RequestId::Number(number) => self.with_text_id(&number.to_string()),
        }
    }

    pub fn with_text_id(self, id: &str) -> Self {
        spans::set_text(&self.0.span, JSONRPC_REQUEST_ID, id);
        self
    }

    pub fn in_revision(self, version: &'static str) -> Self {
        spans::set(&self.0.span, MCP_PROTOCOL_VERSION, version);
        if let Some(measured) = &mut *self.0.measured() {
            measured.in_revision(version);
        }
        self
    }

    pub fn in_session(self, session_id: &str) -> Self {
        self.0.facts.session(session_id);
        if !self.0.span.is_disabled() {
            spans::set(&self.0.span, MCP_SESSION_ID, hashed(session_id));
        }
        self
    }

    pub fn on_resource(self, uri: &str) -> Self {
        spans::set_text(&self.0.span, MCP_RESOURCE_URI, uri);
        self
    }

    /// For whatever is done for it.
    pub fn span(&self) -> Span {
        self.0.span.clone()
    }

    /// The message with this operation's context in it.
    pub fn carried_by(&self, message: Bytes) -> Bytes {
        context::with_context(message, &propagation::of(&self.0.span))
    }

    /// It was answered with this result, or needs no answer.
    pub fn succeeded(&self, result: &[u8]) {
        #[derive(Deserialize)]
        struct ToolResult {
            #[serde(rename = "isError", default)]
            is_error: bool,
        }
        if !self.ends() {
            return;
        }
        let measured = self.0.measured().take();
        let looked_at = measured.is_some() || !self.0.span.is_disabled();
        // Anything else that is wrong with it is not the span's business.
        let is_error = self.0.is_tool
            && looked_at
            && serde_json::from_slice::<ToolResult>(result).is_ok_and(|result| result.is_error);
        if is_error {
            spans::fail(&self.0.span, TOOL_ERROR, "");
        }
        if let Some(measured) = measured {
            measured.ended(if is_error {
                Outcome::ToolError
            } else {
                Outcome::Success
            });
        }
    }

    /// It was answered with this.
    pub fn settle(&self, outcome: Result<&Bytes, &Failure>) {
        match outcome {
            Ok(result) => self.succeeded(result),
            Err(Failure::Rpc(error)) => self.failed(error),
            Err(Failure::Fault(fault)) => self.failed(&fault.rpc_error()),
            Err(Failure::SessionEnded) => self.failed(&HttpRefusal::from(NoSession::NotFound).error),
            Err(Failure::TakenOver) => self.broke(TAKEN_OVER),
        }
    }

    /// It was answered with this error.
    pub fn failed(&self, error: &RpcError) {
        if self.ends() {
            let code = error.code.to_string();
            spans::set(&self.0.span, RPC_RESPONSE_STATUS_CODE, code.clone());
            spans::fail(&self.0.span, &code, error.for_the_record());
            if let Some(measured) = self.0.measured().take() {
                measured.ended(Outcome::Error(i64::from(error.code)));
            }
        }
    }

    /// It was not answered, for this reason: a word, one of few.
    pub fn broke(&self, error_type: &'static str) {
        if self.ends() {
            spans::fail(&self.0.span, error_type, "");
            if let Some(measured) = self.0.measured().take() {
                measured.ended(Outcome::Failed(error_type));
            }
        }
    }

    fn ends(&self) -> bool {
        !self.0.ended.swap(true, Ordering::Relaxed)
    }
}

impl Inner {
    fn measured(&self) -> MutexGuard<'_, Option<Measured>> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !*self.ended.get_mut() {
            spans::fail(&self.span, CANCELLED, "");
        }
    }
}

fn set_transport(span: &Span) {
    spans::set(span, NETWORK_TRANSPORT, TCP);
    spans::set(span, NETWORK_PROTOCOL_NAME, HTTP);
}

fn name(method: &str, target: Option<&str>) -> String {
    let bounded = |text: &str| text.chars().take(MAX_NAME).collect::<String>();
    match target {
        Some(target) => format!("{} {}", bounded(method), bounded(target)),
        None => bounded(method),
    }
}

/// As the conventions write it.
pub fn http_version(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_09 => "0.9",
        http::Version::HTTP_10 => "1.0",
        http::Version::HTTP_2 => "2",
        http::Version::HTTP_3 => "3",
        _ => "1.1",
    }
}
