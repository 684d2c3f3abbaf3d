//! Server-sent events as they come.

use std::time::Duration;

use bytes::BytesMut;
use serde_json::Value;
use tokio::time::timeout;

use super::DEADLINE;
use crate::hardening::discretion::assert_discreet;

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

/// Takes the first whole event that says something.
pub fn take_event(pending: &mut BytesMut) -> Option<Event> {
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
