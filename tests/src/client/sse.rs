//! Server-sent events as a test wants to see them: each block as it was sent, comments included.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context, ensure};
use reqwest::{RequestBuilder, header::HeaderMap};
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

/// How long to wait for anything. Far above what anything takes, so that only what hangs fails.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// One block of a stream. A block of comments alone is no event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub id: Option<String>,
    pub event: Option<String>,
    pub retry: Option<u64>,
    pub data: String,
}

/// A stream that is open.
pub struct SseStream {
    pub headers: HeaderMap,
    response: reqwest::Response,
    parser: Parser,
    events: VecDeque<Event>,
    last_event_id: Option<String>,
    deadline: Duration,
}

#[derive(Default)]
pub(crate) struct Parser {
    buffer: Vec<u8>,
    event: Option<Event>,
    comments: usize,
}

impl Event {
    /// The message that the event carries.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl SseStream {
    /// Sends the request, whose answer must be a stream.
    pub async fn open(request: RequestBuilder) -> anyhow::Result<Self> {
        let response = timeout(DEADLINE, request.send())
            .await
            .context("the stream does not begin")??;
        let status = response.status();
        let headers = response.headers().clone();
        let kind = headers
            .get("content-type")
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        if !status.is_success() || !kind.starts_with("text/event-stream") {
            let kind = kind.to_owned();
            ensure!(
                false,
                "no stream but {status} {kind:?}: {}",
                response.text().await?
            );
        }
        Ok(Self {
            headers,
            response,
            parser: Parser::default(),
            events: VecDeque::new(),
            last_event_id: None,
            deadline: DEADLINE,
        })
    }

    /// Waits this long for each event from now on.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The next event; none at the end of the stream. Panics where neither comes in time.
    pub async fn next(&mut self) -> Option<Event> {
        let deadline = Instant::now() + self.deadline;
        loop {
            if let Some(event) = self.events.pop_front() {
                if event.id.is_some() {
                    self.last_event_id.clone_from(&event.id);
                }
                return Some(event);
            }
            match timeout_at(deadline, self.response.chunk()).await {
                Ok(Ok(Some(chunk))) => self.parser.feed(&chunk, &mut self.events),
                // A server that dies leaves a broken body behind; for a client that is an end.
                Ok(Ok(None) | Err(_)) => return None,
                Err(_) => panic!(
                    "no event within {:?}; the last one was {:?}",
                    self.deadline, self.last_event_id
                ),
            }
        }
    }

    /// The next event with a message, past priming events. Panics at the end of the stream.
    pub async fn message(&mut self) -> Value {
        self.message_event().await.json()
    }

    /// As [`Self::message`], with its id.
    pub async fn message_event(&mut self) -> Event {
        loop {
            let event = self.next().await.expect("a message before the end of the stream");
            if !event.data.is_empty() {
                return event;
            }
        }
    }

    /// The next message of this method; other requests and notifications before it are passed over, answers are not.
    pub async fn wait_for(&mut self, method: &str) -> Value {
        loop {
            let message = self.message().await;
            if message["method"] == method {
                return message;
            }
            assert!(
                message.get("method").is_some(),
                "an answer instead of {method}: {message}"
            );
        }
    }

    /// Everything that is still to come, until the stream ends.
    pub async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// The messages that are still to come, until the stream ends.
    pub async fn messages(&mut self) -> Vec<Value> {
        let rest = self.rest().await;
        rest.iter()
            .filter(|event| !event.data.is_empty())
            .map(Event::json)
            .collect()
    }

    /// Waits until this many comments came since the stream began.
    pub async fn comments(&mut self, count: usize) {
        let deadline = Instant::now() + self.deadline;
        while self.parser.comments < count {
            let chunk = timeout_at(deadline, self.response.chunk())
                .await
                .expect("comments in time");
            let chunk = chunk.expect("a sound stream").expect("comments before the end");
            self.parser.feed(&chunk, &mut self.events);
        }
    }

    /// Whatever comes within this time. For what must not come; what must come has a deadline instead.
    pub async fn drain_for(&mut self, time: Duration) -> Vec<Event> {
        let until = Instant::now() + time;
        while let Ok(Ok(Some(chunk))) = timeout_at(until, self.response.chunk()).await {
            self.parser.feed(&chunk, &mut self.events);
        }
        let events: Vec<Event> = self.events.drain(..).collect();
        if let Some(event) = events.iter().rfind(|event| event.id.is_some()) {
            self.last_event_id.clone_from(&event.id);
        }
        events
    }

    /// Where a client would resume.
    pub fn last_event_id(&self) -> &str {
        self.last_event_id.as_deref().unwrap_or_default()
    }
}

/// The events of a whole body.
pub(super) fn parse(body: &[u8]) -> Vec<Event> {
    let mut events = VecDeque::new();
    Parser::default().feed(body, &mut events);
    events.into()
}

impl Parser {
    pub(crate) fn feed(&mut self, chunk: &[u8], events: &mut VecDeque<Event>) {
        self.buffer.extend_from_slice(chunk);
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8(line).expect("events are utf-8");
            self.line(line.trim_end_matches(['\r', '\n']), events);
        }
    }

    fn line(&mut self, line: &str, events: &mut VecDeque<Event>) {
        if line.is_empty() {
            if let Some(mut event) = self.event.take() {
                // Every data line ends in a line feed, and the last one goes.
                event.data.pop();
                events.push_back(event);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        if field.is_empty() {
            self.comments += 1;
            return;
        }
        let event = self.event.get_or_insert_default();
        match field {
            "id" => event.id = Some(value.to_owned()),
            "event" => event.event = Some(value.to_owned()),
            "retry" => event.retry = Some(value.parse().expect("retry is a number")),
            "data" => {
                event.data.push_str(value);
                event.data.push('\n');
            }
            other => panic!("unknown field {other:?}"),
        }
    }
}
