//! What a fixture is given and what it may answer, in MCP's words and without a transport.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use change_feed::ChangeFeed;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

/// JSON-RPC: the params of a request are wrong.
pub const INVALID_PARAMS: i32 = -32602;
/// JSON-RPC: something failed on the server's side.
pub const INTERNAL_ERROR: i32 = -32603;
/// MCP: no such resource. The edge words it as the revision asks for.
pub const RESOURCE_NOT_FOUND: i32 = -32002;
/// MCP 2026-07-28: the request needs a capability that the client did not declare.
pub const MISSING_CLIENT_CAPABILITY: i32 = -32021;

/// One round of a call.
pub struct Call {
    pub arguments: Map<String, Value>,
    pub client: Capabilities,
    /// Answers to the questions of the round before, by key.
    pub inputs: BTreeMap<String, Value>,
    /// What the round before wrote; empty in the first round. Nobody but this service can have written it.
    pub state: Vec<u8>,
    pub reporter: Reporter,
    pub changes: Arc<dyn ChangeFeed>,
}

/// What the client declared that it can be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    pub sampling: bool,
    pub elicitation_form: bool,
    pub roots: bool,
}

/// How a round ends: a reply, or an MCP-level error.
pub type Answer = Result<Reply, Failure>;

#[derive(Debug, PartialEq)]
pub enum Reply {
    /// The MCP result object.
    Result(Value),
    /// The client has to answer first; the call comes back with `inputs` and `state`.
    Ask {
        questions: Vec<Question>,
        state: Vec<u8>,
    },
}

#[derive(Debug, PartialEq)]
pub struct Question {
    pub key: &'static str,
    pub kind: QuestionKind,
}

#[derive(Debug, PartialEq)]
pub enum QuestionKind {
    /// Params of sampling/createMessage.
    Sampling(Value),
    /// Params of elicitation/create, form mode.
    Form(Value),
    Roots,
}

/// A JSON-RPC error.
#[derive(Debug, PartialEq)]
pub struct Failure {
    pub code: i32,
    pub message: String,
    pub data: Option<Value>,
}

/// What a call says before it ends.
#[derive(Debug, PartialEq)]
pub enum Report {
    Progress {
        progress: f64,
        total: f64,
        message: String,
    },
    Log {
        level: Level,
        data: Value,
    },
    /// The client may be sent away, and comes back for the rest.
    CloseStream {
        retry: Duration,
    },
}

/// The severities that fixtures use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
}

/// Where a running call sends its reports. Waits while nobody reads; forgets them when nobody is left.
#[derive(Clone)]
pub struct Reporter(mpsc::Sender<Report>);

impl Reporter {
    /// A reporter and its reader, with room for `capacity` unread reports.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Report>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(sender), receiver)
    }

    pub async fn progress(&self, progress: f64, total: f64, message: &str) {
        self.send(Report::Progress {
            progress,
            total,
            message: message.to_owned(),
        })
        .await;
    }

    pub async fn close_stream(&self, retry: Duration) {
        self.send(Report::CloseStream { retry }).await;
    }

    pub async fn info(&self, text: &str) {
        self.send(Report::Log {
            level: Level::Info,
            data: text.into(),
        })
        .await;
    }

    async fn send(&self, report: Report) {
        // The reader is dropped only together with the call.
        let _ = self.0.send(report).await;
    }
}

impl Question {
    pub fn form(key: &'static str, message: &str, schema: Value) -> Self {
        Self {
            key,
            kind: QuestionKind::Form(json!({ "message": message, "requestedSchema": schema })),
        }
    }

    pub fn sampling(key: &'static str, prompt: &str, max_tokens: u32) -> Self {
        let message = json!({ "role": "user", "content": { "type": "text", "text": prompt } });
        Self {
            key,
            kind: QuestionKind::Sampling(json!({ "messages": [message], "maxTokens": max_tokens })),
        }
    }

    pub fn roots(key: &'static str) -> Self {
        Self {
            key,
            kind: QuestionKind::Roots,
        }
    }

    /// What the client must have declared for this question, by its name in MCP.
    pub fn capability(&self) -> &'static str {
        match self.kind {
            QuestionKind::Sampling(_) => "sampling",
            QuestionKind::Form(_) => "elicitation",
            QuestionKind::Roots => "roots",
        }
    }

    fn allowed(&self, client: Capabilities) -> bool {
        match self.kind {
            QuestionKind::Sampling(_) => client.sampling,
            QuestionKind::Form(_) => client.elicitation_form,
            QuestionKind::Roots => client.roots,
        }
    }
}

impl Call {
    /// Asks, or answers with a tool error where the client declared that it cannot be asked.
    pub fn ask(&self, questions: Vec<Question>, state: impl Into<Vec<u8>>) -> Answer {
        match questions.iter().find(|question| !question.allowed(self.client)) {
            Some(question) => Ok(tool_error(&format!(
                "This tool needs the client capability `{}`, which the client did not declare.",
                question.capability()
            ))),
            None => Ok(Reply::Ask {
                questions,
                state: state.into(),
            }),
        }
    }

    /// The argument, or the tool error that tells the model what is missing.
    pub fn string_argument(&self, name: &str) -> Result<&str, Reply> {
        match self.arguments.get(name) {
            Some(Value::String(value)) => Ok(value),
            Some(_) => Err(tool_error(&format!(
                "Invalid arguments: `{name}` must be a string."
            ))),
            None => Err(tool_error(&format!("Invalid arguments: `{name}` is required."))),
        }
    }
}

impl Failure {
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self {
            code: INVALID_PARAMS,
            message: message.into(),
            data: None,
        }
    }

    /// Names the capability as a client would declare it.
    pub fn missing_capability(name: &str) -> Self {
        Self {
            code: MISSING_CLIENT_CAPABILITY,
            message: format!("missing required client capability: {name}"),
            data: Some(json!({ "requiredCapabilities": { name: {} } })),
        }
    }

    pub fn resource_not_found(uri: &str) -> Self {
        Self {
            code: RESOURCE_NOT_FOUND,
            message: "resource not found".to_owned(),
            data: Some(json!({ "uri": uri })),
        }
    }
}

/// A content item of type text.
pub fn text(text: impl Into<String>) -> Value {
    json!({ "type": "text", "text": text.into() })
}

/// A tool result of these content items.
pub fn content(items: impl Into<Vec<Value>>) -> Reply {
    Reply::Result(json!({ "content": items.into() }))
}

/// A tool result of one text.
pub fn text_result(value: impl Into<String>) -> Reply {
    content([text(value)])
}

/// A tool result that tells the model what went wrong.
pub fn tool_error(message: &str) -> Reply {
    Reply::Result(json!({ "content": [text(message)], "isError": true }))
}
