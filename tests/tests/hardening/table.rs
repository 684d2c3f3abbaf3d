//! Tables of bad requests: what is sent, and what must come back.

use serde_json::{Value, json};
use system_tests::{Builder, Stack};

use super::wire::{Answer, Request, Session};

/// One bad request and the answer that it must get.
pub struct Row {
    name: String,
    request: Request,
    expected: Expected,
}

struct Expected {
    status: u16,
    /// None: the answer is not JSON-RPC.
    error: Option<Refused>,
}

struct Refused {
    code: i64,
    id: Value,
    /// Must be in the message.
    word: String,
}

/// A stack without login, and a session on each revision, in this process and in memory.
pub struct Bench {
    /// Serves as long as it is held.
    _stack: Stack,
    pub sessions: Vec<Session>,
}

impl Row {
    pub fn new(name: impl Into<String>, request: Request) -> Self {
        Self {
            name: name.into(),
            request,
            expected: Expected {
                status: 400,
                error: None,
            },
        }
    }

    /// Refused before it was known whose request it is.
    pub fn gets_refused(self, status: u16, code: i64, word: &str) -> Self {
        self.gets_error(Value::Null, status, code, word)
    }

    /// An error under the request's id.
    pub fn gets_error(mut self, id: impl Into<Value>, status: u16, code: i64, word: &str) -> Self {
        self.expected = Expected {
            status,
            error: Some(Refused {
                code,
                id: id.into(),
                word: word.to_owned(),
            }),
        };
        self
    }

    /// Only the status counts.
    pub fn is(mut self, status: u16) -> Self {
        self.expected = Expected { status, error: None };
        self
    }

    fn judge(&self, answer: &Answer) -> Result<(), String> {
        if answer.status != self.expected.status {
            return Err(format!("not {} but {answer:?}", self.expected.status));
        }
        let Some(refused) = &self.expected.error else {
            return Ok(());
        };
        let messages = answer.messages();
        let [message] = &messages[..] else {
            return Err(format!("not one message but {answer:?}"));
        };
        let text = message["error"]["message"].as_str().unwrap_or_default();
        let right = message["jsonrpc"] == "2.0"
            && message["id"] == refused.id
            && message.get("id").is_some()
            && message["error"]["code"] == json!(refused.code)
            && message.get("result").is_none()
            && text.to_lowercase().contains(&refused.word.to_lowercase());
        if right {
            return Ok(());
        }
        Err(format!(
            "not {} under id {} saying {:?}, but {message}",
            refused.code, refused.id, refused.word
        ))
    }
}

impl Bench {
    pub async fn of(revisions: &[&str]) -> Self {
        Self::on(Stack::builder().in_process().auth_disabled(), revisions).await
    }

    pub async fn on(stack: Builder, revisions: &[&str]) -> Self {
        let stack = stack.start().await.unwrap();
        let mut sessions = Vec::new();
        for revision in revisions {
            sessions.push(Session::begin(&stack.edge_url(0, ""), None, revision).await);
        }
        Self {
            _stack: stack,
            sessions,
        }
    }
}

/// Sends every row's request, and a ping after each. Fails with all that went wrong.
pub async fn check(session: &Session, rows: Vec<Row>) {
    let mut problems = Vec::new();
    for row in &rows {
        let answer = session.send(row.request.clone()).await;
        if let Err(problem) = row.judge(&answer) {
            problems.push(format!("{}: {problem}", row.name));
        }
        if let Err(answer) = session.is_well().await {
            problems.push(format!("{}: after it, ping is answered {answer:?}", row.name));
        }
    }
    assert!(
        problems.is_empty(),
        "on {}, {} of {} rows:\n{}",
        session.revision,
        problems.len(),
        rows.len(),
        problems.join("\n")
    );
}
