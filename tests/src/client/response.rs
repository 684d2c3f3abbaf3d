use anyhow::Context;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;
use tokio::time::timeout;

use super::sse::{self, DEADLINE, Event};

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Response {
    pub async fn read(response: reqwest::Response) -> anyhow::Result<Self> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = timeout(DEADLINE, response.bytes())
            .await
            .context("the answer did not end in time")??;
        Ok(Self {
            status,
            headers,
            body: body.into(),
        })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn is_stream(&self) -> bool {
        self.header(CONTENT_TYPE.as_str())
            .is_some_and(|kind| kind.starts_with("text/event-stream"))
    }

    /// The JSON body; `Null` where there is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The events of an answer that was a stream.
    pub fn events(&self) -> Vec<Event> {
        sse::parse(&self.body)
    }

    /// All JSON-RPC messages of the answer, in order, however it was framed.
    pub fn messages(&self) -> Vec<Value> {
        if self.is_stream() {
            return self
                .events()
                .iter()
                .filter(|event| !event.data.is_empty())
                .map(Event::json)
                .collect();
        }
        match self.json() {
            Value::Null => Vec::new(),
            Value::Array(messages) => messages,
            message => vec![message],
        }
    }

    /// The result or the error of the one request.
    pub fn result(&self) -> Result<Value, Value> {
        let messages = self.messages();
        let answer = messages
            .into_iter()
            .rfind(|message| message.get("method").is_none());
        let mut answer = answer.unwrap_or_else(|| panic!("no answer in {} {}", self.status, self.text()));
        match answer.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(answer["result"].take()),
        }
    }

    /// The code of the JSON-RPC error.
    pub fn error_code(&self) -> i64 {
        let error = self.result().expect_err("an error");
        error["code"].as_i64().expect("a code")
    }
}
