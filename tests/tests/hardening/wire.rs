//! Requests as bytes and headers, and what comes back.

use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::discretion::assert_discreet;

/// The revisions of Streamable HTTP with sessions.
pub const REVISIONS: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];
pub const NEWEST: &str = "2025-11-25";

/// Longer than anything here may take, on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// An id of the right form that no session has.
pub const UNKNOWN_SESSION: &str = "bm9ib2R5cy1zZXNzaW9uLWlkLWF0LWFsbC1ub3BlISE";

/// A request, to the last byte.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Body,
}

#[derive(Clone)]
pub enum Body {
    /// With `Content-Length`.
    Whole(Vec<u8>),
    /// With `Transfer-Encoding: chunked`.
    Chunked(Vec<u8>),
}

/// A whole answer.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub id: Option<String>,
    pub name: Option<String>,
    pub data: String,
}

/// An event stream as it comes.
pub struct Events {
    response: reqwest::Response,
    pending: BytesMut,
}

/// One client's session at one edge.
#[derive(Clone)]
pub struct Session {
    pub client: reqwest::Client,
    pub origin: String,
    pub token: Option<String>,
    pub id: String,
    pub revision: String,
}

impl Request {
    pub fn new(method: Method, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Body::Whole(Vec::new()),
        }
    }

    /// Sets a header.
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.insert(header(name), text(value.as_ref()));
        self
    }

    /// Sets a header, once more if it is there.
    pub fn and(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.append(header(name), text(value.as_ref()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(header(name));
        self
    }

    pub fn path(mut self, path: &str) -> Self {
        self.path = path.to_owned();
        self
    }

    pub fn chunked(mut self) -> Self {
        if let Body::Whole(body) = self.body {
            self.body = Body::Chunked(body);
        }
        self
    }

    /// Sends it and waits for the response's head.
    pub async fn open(self, client: &reqwest::Client, origin: &str) -> reqwest::Response {
        let url = format!("{origin}{}", self.path);
        let request = client.request(self.method.clone(), &url).headers(self.headers);
        let request = match self.body {
            Body::Whole(body) if body.is_empty() && self.method != Method::POST => request,
            Body::Whole(body) => request.body(body),
            Body::Chunked(body) => {
                let chunks: Vec<_> = body
                    .chunks(64 * 1024)
                    .map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk)))
                    .collect();
                request.body(reqwest::Body::wrap_stream(futures::stream::iter(chunks)))
            }
        };
        timeout(DEADLINE, request.send())
            .await
            .unwrap_or_else(|_| panic!("no answer to {} {url} in time", self.method))
            .unwrap_or_else(|error| panic!("no answer to {} {url}: {error:?}", self.method))
    }

    pub async fn send(self, client: &reqwest::Client, origin: &str) -> Answer {
        let response = self.open(client, origin).await;
        Answer::read(response).await
    }
}

impl Answer {
    pub async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = timeout(DEADLINE, response.bytes())
            .await
            .expect("the answer ends in time")
            .expect("the answer is whole");
        let answer = Self {
            status,
            headers,
            body,
        };
        assert_discreet(&answer.text());
        answer
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Every JSON-RPC message in it, of whichever framing.
    pub fn messages(&self) -> Vec<Value> {
        let is_stream = self
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let texts = if is_stream {
            let mut pending = BytesMut::from(&self.body[..]);
            std::iter::from_fn(|| take_event(&mut pending))
                .map(|event| event.data)
                .filter(|data| !data.is_empty())
                .collect()
        } else {
            vec![self.text()]
        };
        texts
            .iter()
            .map(|text| serde_json::from_str(text).unwrap_or_else(|_| panic!("not JSON: {self:?}")))
            .flat_map(|message| match message {
                Value::Array(batch) => batch,
                message => vec![message],
            })
            .collect()
    }

    /// The last message, which is the response to a request on its own.
    pub fn message(&self) -> Value {
        self.messages()
            .pop()
            .unwrap_or_else(|| panic!("no message: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Everything that tells this answer from another, without what differs every time.
    pub fn essence(&self) -> (u16, Vec<(String, Vec<u8>)>, Bytes) {
        const UNIQUE: [&str; 3] = ["date", "x-request-id", "traceparent"];
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .filter(|(name, _)| !UNIQUE.contains(&name.as_str()))
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect();
        headers.sort();
        (self.status, headers, self.body.clone())
    }
}

impl Events {
    pub fn of(response: reqwest::Response) -> Self {
        assert_eq!(response.status(), 200, "not a stream: {response:?}");
        Self {
            response,
            pending: BytesMut::new(),
        }
    }

    /// The next event, comments left out. None: the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        timeout(DEADLINE, async {
            loop {
                if let Some(event) = take_event(&mut self.pending) {
                    assert_discreet(&event.data);
                    return Some(event);
                }
                // A connection that broke has ended as well.
                let chunk = self.response.chunk().await.ok().flatten()?;
                self.pending.extend_from_slice(&chunk);
            }
        })
        .await
        .expect("an event, or the end, in time")
    }

    /// The next event if there is one within `wait`.
    pub async fn within(&mut self, wait: Duration) -> Option<Event> {
        timeout(wait, self.next()).await.ok().flatten()
    }

    /// The next JSON-RPC message.
    pub async fn message(&mut self) -> Option<Value> {
        loop {
            let event = self.next().await?;
            let is_message = event.name.is_none_or(|name| name == "message");
            if is_message && !event.data.is_empty() {
                return Some(serde_json::from_str(&event.data).unwrap());
            }
        }
    }

    /// The next message for which `is_it` holds; others are dropped.
    pub async fn find(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.message().await.expect("the message before the stream's end");
            if is_it(&message) {
                return message;
            }
        }
    }
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

pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Takes the first whole event that says something.
fn take_event(pending: &mut BytesMut) -> Option<Event> {
    loop {
        let end = pending.windows(2).position(|pair| pair == b"\n\n")?;
        let block = pending.split_to(end + 2);
        let block = String::from_utf8(block.to_vec()).expect("events are UTF-8");
        let mut event = Event::default();
        let mut says_something = false;
        for line in block.lines().filter(|line| !line.is_empty()) {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => event.id = Some(value.to_owned()),
                "event" => event.name = Some(value.to_owned()),
                "data" => {
                    if !event.data.is_empty() {
                        event.data.push('\n');
                    }
                    event.data.push_str(value);
                }
                _ => continue,
            }
            says_something = true;
        }
        if says_something {
            return Some(event);
        }
    }
}

fn header(name: &str) -> HeaderName {
    name.parse().unwrap()
}

fn text(value: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(value).unwrap()
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Body::Whole(body) | Body::Chunked(body)) = self;
        f.write_str(&String::from_utf8_lossy(&body[..body.len().min(300)]))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body: String = self.text().chars().take(600).collect();
        write!(f, "{} {:?} {body}", self.status, self.headers)
    }
}
