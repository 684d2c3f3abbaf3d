//! Requests as bytes and headers, and what comes back.

mod events;
mod session;

use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header::CONTENT_TYPE};
use serde_json::Value;
use tokio::time::timeout;

pub use self::{
    events::{Event, Events},
    session::Session,
};
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

impl Body {
    pub fn json(&self) -> Value {
        let (Self::Whole(body) | Self::Chunked(body)) = self;
        serde_json::from_slice(body).unwrap()
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
            std::iter::from_fn(|| events::take_event(&mut pending))
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

pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
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
