//! JSON-RPC 2.0 as MCP uses it: reading what clients send, defensively, and writing what they get.
//!
//! Nothing here knows a protocol revision or a method. `params`, `result` and `error` stay raw JSON: they are checked to
//! be JSON and otherwise passed on as they came.
//!
//! Source: <https://www.jsonrpc.org/specification>, and "Messages" in the MCP base protocol of every revision.

pub(crate) mod context;
mod depth;
mod encode;
mod envelope;
mod id;
mod parse;

use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

pub(crate) use self::envelope::Key;
pub use self::{
    encode::{batch, error, notification, request, result},
    id::RequestId,
    parse::parse,
};

/// Levels of arrays and objects a body may nest, a batch's own array included. MCP needs about ten.
pub const MAX_DEPTH: usize = 64;
/// Messages a batch may hold.
pub const MAX_BATCH: usize = 100;
/// Bytes of a string id.
pub const MAX_ID_BYTES: usize = 256;

/// The text is not JSON (JSON-RPC 2.0 §5.1).
pub const PARSE_ERROR: i32 = -32700;
/// JSON, but not a message (JSON-RPC 2.0 §5.1).
pub const INVALID_REQUEST: i32 = -32600;
/// No such method here (JSON-RPC 2.0 §5.1).
pub const METHOD_NOT_FOUND: i32 = -32601;
/// Parameters of the wrong type or value, an unknown tool or prompt, a bad cursor (JSON-RPC 2.0 §5.1; MCP).
pub const INVALID_PARAMS: i32 = -32602;
/// The server's own fault (JSON-RPC 2.0 §5.1).
pub const INTERNAL_ERROR: i32 = -32603;
/// No such resource (MCP "Resources", up to 2025-11-25).
pub const RESOURCE_NOT_FOUND: i32 = -32002;
/// The client lacks a capability that the call needs (MCP 2026-07-28, `MissingRequiredClientCapabilityError`).
pub const MISSING_CLIENT_CAPABILITY: i32 = -32021;

/// What a body holds.
#[derive(Debug)]
pub enum Incoming {
    Single(Message),
    /// 1 to [`MAX_BATCH`] messages in order; each is good or refused on its own (JSON-RPC 2.0 §6).
    Batch(Vec<Result<Message, Refusal>>),
}

/// A message from the client.
pub enum Message {
    Request {
        id: RequestId,
        method: String,
        /// A JSON object.
        params: Option<Box<RawValue>>,
    },
    Notification {
        method: String,
        /// A JSON object.
        params: Option<Box<RawValue>>,
    },
    /// The client's answer to a request of the server.
    Response {
        id: RequestId,
        outcome: ResponseOutcome,
        /// The whole response object as it came, for whoever waits for it on another edge.
        raw: Box<RawValue>,
    },
}

/// How the client answered.
pub enum ResponseOutcome {
    /// A JSON object.
    Result(Box<RawValue>),
    /// A JSON object with an integer `code` and a string `message`.
    Error(Box<RawValue>),
}

/// Why a message was not taken, and under which id to say so.
#[derive(Debug)]
pub struct Refusal {
    /// The message's id, where one could be read. `None` is written as `null` (JSON-RPC 2.0 §5).
    pub id: Option<RequestId>,
    pub error: RpcError,
}

/// The `error` member of a response.
#[derive(Clone, Serialize)]
pub struct RpcError {
    pub code: i32,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
    /// What logs and spans say in place of `message`, where that has words of a client's in it.
    #[serde(skip)]
    pub recorded: Option<&'static str>,
}

impl RpcError {
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
            recorded: None,
        }
    }

    pub fn parse_error(message: impl Into<String>) -> Self {
        Self::new(PARSE_ERROR, message)
    }

    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(INVALID_REQUEST, message)
    }

    /// Names the method, shortened to what a person can read.
    pub fn method_not_found(method: &str) -> Self {
        Self::new(METHOD_NOT_FOUND, format!("unknown method {}", quoted(method)))
    }

    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(INTERNAL_ERROR, message)
    }

    /// Adds `data`. A value that does not serialize adds nothing.
    pub fn with_data(mut self, data: &impl Serialize) -> Self {
        self.data = serde_json::value::to_raw_value(data).ok();
        self
    }

    /// Keeps `message` out of logs and spans, which say this instead.
    pub fn recorded_as(mut self, sentence: &'static str) -> Self {
        self.recorded = Some(sentence);
        self
    }

    /// For logs and spans.
    pub fn for_the_record(&self) -> &str {
        self.recorded.unwrap_or(&self.message)
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.for_the_record(), self.code)
    }
}

impl std::error::Error for RpcError {}

// Bodies stay out of logs: `data` is not shown.
impl fmt::Debug for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcError")
            .field("code", &self.code)
            .field("message", &self.for_the_record())
            .finish_non_exhaustive()
    }
}

// Bodies stay out of logs: parameters, results and errors are not shown.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Request { id, method, .. } => f
                .debug_struct("Request")
                .field("id", id)
                .field("method", method)
                .finish_non_exhaustive(),
            Message::Notification { method, .. } => f
                .debug_struct("Notification")
                .field("method", method)
                .finish_non_exhaustive(),
            Message::Response { id, outcome, .. } => f
                .debug_struct("Response")
                .field("id", id)
                .field("outcome", outcome)
                .finish_non_exhaustive(),
        }
    }
}

impl ResponseOutcome {
    /// Reads the outcome back from a response object, such as `Message::Response::raw`.
    pub fn from_response(response: &[u8]) -> Result<Self, RpcError> {
        parse::outcome(response)
    }
}

impl fmt::Debug for ResponseOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ResponseOutcome::Result(_) => "Result(..)",
            ResponseOutcome::Error(_) => "Error(..)",
        })
    }
}

/// A client's word in a sentence of ours: in backquotes, at most 64 characters, without control characters.
pub(crate) fn quoted(word: &str) -> String {
    let mut out = String::with_capacity(word.len().min(64) + 2);
    out.push('`');
    for (n, c) in word.chars().enumerate() {
        if n == 64 {
            out.push('…');
            break;
        }
        out.push(if c.is_control() { '\u{fffd}' } else { c });
    }
    out.push('`');
    out
}
