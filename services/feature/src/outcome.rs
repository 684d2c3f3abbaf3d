//! How a call ends.

use bytes::Bytes;
use serde_json::Value;

/// A call is over, or cannot go on before the client has answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome<T> {
    Result(T),
    InputRequired(InputRequired),
}

/// Questions to the client, each with its own key. The call is made again with the answers and `state`.
#[derive(Clone, Debug, PartialEq)]
pub struct InputRequired {
    pub requests: Vec<(&'static str, InputRequest)>,
    pub state: Bytes,
}

/// A question, with the params of the MCP request it stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum InputRequest {
    Sampling(Value),
    ElicitationForm(Value),
    ElicitationUrl(Value),
    ListRoots,
}

impl InputRequired {
    /// One question and nothing to remember.
    pub fn one(key: &'static str, request: InputRequest) -> Self {
        Self {
            requests: vec![(key, request)],
            state: Bytes::new(),
        }
    }
}
