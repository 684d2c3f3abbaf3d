//! A client's HTTP, with the patience of a good client: every wait ends.

use std::{collections::VecDeque, time::Duration};

use reqwest::{Client, Method, RequestBuilder, header};
use serde_json::Value;
use tokio::time::timeout;

use crate::client::{Event, Parser};

/// For the head of an answer: calls that say something do so at once.
const HEAD: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(3);
/// A stream that shows no sign of life for this long is dead. Three times what the cluster is set to.
const SILENCE: Duration = Duration::from_secs(6);

/// Requests of one user, in one session if there is one.
#[derive(Clone)]
pub struct Http {
    client: Client,
    pub origin: String,
    pub token: Option<String>,
    pub session_id: Option<String>,
    /// `MCP-Protocol-Version`, for revisions that have it.
    pub version: Option<&'static str>,
}

/// How the server took a request.
pub enum Answer {
    Stream(Box<Stream>),
    Json(Value),
    /// Taken, and nothing to say (202, 204), or not taken.
    Status(u16),
    /// The connection broke, or the head or the body did not come in time.
    Broken,
}

/// A stream that is open.
pub struct Stream {
    response: reqwest::Response,
    parser: Parser,
    events: VecDeque<Event>,
    /// Between two reads, for clients that are slow.
    dawdle: Duration,
}

impl Http {
    pub fn new(origin: &str, token: Option<&str>) -> anyhow::Result<Self> {
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(Duration::from_secs(20))
            .build()?;
        Ok(Self {
            client,
            origin: origin.to_owned(),
            token: token.map(str::to_owned),
            session_id: None,
            version: None,
        })
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let accept = match method {
            Method::GET => "text/event-stream",
            _ => "application/json, text/event-stream",
        };
        let url = format!("{}{path}", self.origin);
        let mut request = self.client.request(method, url).header(header::ACCEPT, accept);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(session_id) = &self.session_id {
            request = request.header("mcp-session-id", session_id);
        }
        if let Some(version) = self.version {
            request = request.header("mcp-protocol-version", version);
        }
        request
    }

    pub async fn post(&self, path: &str, message: &Value) -> Answer {
        answer(self.request(Method::POST, path).json(message)).await
    }

    /// A stream, from after this event.
    pub async fn get(&self, path: &str, last_event_id: Option<&str>) -> Answer {
        let request = self.request(Method::GET, path);
        answer(match last_event_id {
            Some(id) => request.header("last-event-id", id),
            None => request,
        })
        .await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path)).await
    }
}

/// Sends the request and reads what comes back, unless it is a stream.
pub async fn answer(request: RequestBuilder) -> Answer {
    let Ok(Ok(response)) = timeout(HEAD, request.send()).await else {
        return Answer::Broken;
    };
    let status = response.status().as_u16();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if status == 200 && kind.starts_with("text/event-stream") {
        return Answer::Stream(Box::new(Stream {
            response,
            parser: Parser::default(),
            events: VecDeque::new(),
            dawdle: Duration::ZERO,
        }));
    }
    let is_answer = status == 200 && kind.starts_with("application/json");
    let Ok(Ok(body)) = timeout(HEAD, response.bytes()).await else {
        return if is_answer {
            Answer::Broken
        } else {
            Answer::Status(status)
        };
    };
    match serde_json::from_slice(&body) {
        Ok(message) if is_answer => Answer::Json(message),
        _ => Answer::Status(status),
    }
}

/// `initialize` answers with the session's id in a header.
pub async fn begin(request: RequestBuilder) -> Option<(u16, Option<String>)> {
    let Ok(Ok(response)) = timeout(HEAD, request.send()).await else {
        return None;
    };
    let status = response.status().as_u16();
    let id = response.headers().get("mcp-session-id");
    let id = id.and_then(|id| id.to_str().ok()).map(str::to_owned);
    // Only the whole answer says that the session is there.
    match timeout(HEAD, response.bytes()).await {
        Ok(Ok(_)) => Some((status, id)),
        Ok(Err(_)) | Err(_) => None,
    }
}

impl Stream {
    /// Reads no faster than this.
    pub fn dawdle(&mut self, dawdle: Duration) {
        self.dawdle = dawdle;
    }

    /// The next event. None: the stream is over, broken or dead; which of them makes no difference to a client.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if !self.dawdle.is_zero() {
                tokio::time::sleep(self.dawdle).await;
            }
            let chunk = timeout(SILENCE, self.response.chunk()).await.ok()?.ok()??;
            self.parser.feed(&chunk, &mut self.events);
        }
    }
}
