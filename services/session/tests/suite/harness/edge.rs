//! Links to the service.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use everything_proto::session::v1::{
    Attach, ConnectRequest, ConnectResponse, Detach, Detached, Event, Follow, Heartbeat, Hello, Session,
    connect_request::Message as In, connect_response::Message as Out, detached::Reason,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{Client, PATIENCE, text};

/// A link, as an edge holds it.
pub struct Edge {
    pub id: String,
    requests: mpsc::Sender<ConnectRequest>,
    responses: Streaming<ConnectResponse>,
    unread: VecDeque<Out>,
    /// The last event of each attachment that was asked for.
    delivered: HashMap<u64, String>,
}

impl Edge {
    pub(super) async fn connect(mut client: Client, id: &str) -> Self {
        let (requests, receiver) = mpsc::channel(1024);
        tokio::spawn(beat(requests.downgrade()));
        let responses = client
            .connect(ReceiverStream::new(receiver))
            .await
            .unwrap()
            .into_inner();
        let mut edge = Edge {
            id: id.to_owned(),
            requests,
            responses,
            unread: VecDeque::new(),
            delivered: HashMap::new(),
        };
        edge.say(In::Hello(Hello {
            edge_id: id.to_owned(),
        }))
        .await;
        edge.expect("a welcome", |out| matches!(out, Out::Welcome(_)).then_some(()))
            .await;
        edge
    }

    pub async fn say(&self, message: In) {
        self.requests
            .send(ConnectRequest {
                message: Some(message),
            })
            .await
            .expect("the link is open");
    }

    pub async fn attach(&self, attachment: u64, session: &Session, last_event_id: &str) {
        self.attach_as(attachment, session, &session.user_id, last_event_id)
            .await;
    }

    pub async fn attach_as(&self, attachment: u64, session: &Session, user: &str, last_event_id: &str) {
        self.say(In::Attach(Attach {
            attachment,
            session_id: session.session_id.clone(),
            user_id: user.to_owned(),
            last_event_id: last_event_id.to_owned(),
            trace: None,
        }))
        .await;
    }

    /// Attaches, and returns the cursor from which it starts.
    pub async fn attached(&mut self, attachment: u64, session: &Session, last_event_id: &str) -> String {
        self.attach(attachment, session, last_event_id).await;
        self.expect("an attachment", |out| match out {
            Out::Attached(attached) if attached.attachment == attachment => Some(attached.event_id.clone()),
            Out::Detached(detached) if detached.attachment == attachment => {
                panic!("detached: {:?}", detached.reason())
            }
            _ => None,
        })
        .await
    }

    /// The client has gone, after the events that were asked for here. Returns when the service has heard it.
    pub async fn detach(&mut self, attachment: u64, session: &Session) {
        let last_event_id = self.delivered.remove(&attachment).unwrap_or_default();
        self.say(In::Detach(Detach {
            attachment,
            last_event_id,
        }))
        .await;
        self.follow(session, &[]).await;
    }

    pub async fn follow(&mut self, session: &Session, awaiting: &[&str]) {
        let session_id = session.session_id.clone();
        self.say(In::Follow(Follow {
            session_id: session_id.clone(),
            user_id: session.user_id.clone(),
            awaiting: awaiting.iter().map(ToString::to_string).collect(),
            trace: None,
        }))
        .await;
        self.expect("a confirmation", |out| match out {
            Out::Followed(followed) if followed.session_id == session_id => Some(()),
            _ => None,
        })
        .await;
    }

    /// The first message that fits; others stay for later.
    pub async fn expect<T>(&mut self, what: &str, mut wanted: impl FnMut(&Out) -> Option<T>) -> T {
        for at in 0..self.unread.len() {
            if let Some(found) = wanted(&self.unread[at]) {
                self.unread.remove(at);
                return found;
            }
        }
        let reading = async {
            loop {
                let message = self
                    .responses
                    .message()
                    .await
                    .expect("the link works")
                    .expect("the link is open");
                let Some(message) = message.message else { continue };
                if let Out::Heartbeat(_) = message {
                    continue;
                }
                match wanted(&message) {
                    Some(found) => return found,
                    None => self.unread.push_back(message),
                }
            }
        };
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(found) => found,
            Err(_) => panic!("edge {} got no {what}; unread: {:#?}", self.id, self.unread),
        }
    }

    pub async fn event(&mut self, attachment: u64) -> Event {
        let event = self
            .expect("an event", |out| match out {
                Out::Event(event) if event.attachment == attachment => Some(event.clone()),
                _ => None,
            })
            .await;
        self.delivered.insert(attachment, event.event_id.clone());
        event
    }

    /// The next events' messages.
    pub async fn messages(&mut self, attachment: u64, count: usize) -> Vec<String> {
        let mut messages = Vec::new();
        for _ in 0..count {
            messages.push(text(&self.event(attachment).await));
        }
        messages
    }

    pub async fn detached(&mut self, attachment: u64) -> Reason {
        self.expect("a detachment", |out| match out {
            Out::Detached(Detached {
                attachment: number, ..
            }) if *number == attachment => match out {
                Out::Detached(detached) => Some(detached.reason()),
                _ => None,
            },
            _ => None,
        })
        .await
    }

    pub async fn ended(&mut self, session: &Session) {
        self.expect("the end of the session", |out| match out {
            Out::SessionEnded(ended) if ended.session_id == session.session_id => Some(()),
            _ => None,
        })
        .await;
    }

    /// What is there, or comes within a while, for this attachment.
    pub async fn leftovers(&mut self, attachment: u64) -> Vec<Event> {
        let until = Instant::now() + Duration::from_millis(400);
        while let Ok(Ok(Some(message))) = tokio::time::timeout_at(until, self.responses.message()).await {
            self.unread
                .extend(message.message.filter(|out| !matches!(out, Out::Heartbeat(_))));
        }
        self.unread
            .iter()
            .filter_map(|out| match out {
                Out::Event(event) if event.attachment == attachment => Some(event.clone()),
                _ => None,
            })
            .collect()
    }
}

/// Shows life until the edge is dropped.
async fn beat(requests: mpsc::WeakSender<ConnectRequest>) {
    let mut beats = tokio::time::interval(Duration::from_millis(50));
    loop {
        beats.tick().await;
        let Some(requests) = requests.upgrade() else {
            return;
        };
        _ = requests.try_send(ConnectRequest {
            message: Some(In::Heartbeat(Heartbeat {})),
        });
    }
}
