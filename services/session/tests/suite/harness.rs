//! Replicas of the service, and edges that talk to them.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use change_feed::{ChangeFeed, MemoryFeed, RedisFeed};
use everything_proto::session::v1::{
    AppendRequest, Attach, ConnectRequest, ConnectResponse, CreateRequest, Detach, Detached, Entry, Event,
    Follow, Heartbeat, Hello, OpenCall, OpenRequest, Session, connect_request::Message as In,
    connect_response::Message as Out, detached::Reason, entry, event,
    session_service_client::SessionServiceClient,
};
use everything_session::{Config, Service};
use redis_store::testing::RedisServer;
use serving::{CancellationToken, GrpcChannel, Upstream, UpstreamSettings};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

pub const PATIENCE: Duration = Duration::from_secs(10);
pub const ALICE: &str = "alice";
pub const MALLORY: &str = "mallory";

pub type Client = SessionServiceClient<GrpcChannel>;

/// One or two replicas over one store.
pub struct Stack {
    pub replicas: Vec<Replica>,
    pub feed: Arc<dyn ChangeFeed>,
    pub redis: Option<RedisServer>,
}

pub struct Replica {
    pub shutdown: CancellationToken,
    upstream: Upstream,
}

/// A link, as an edge holds it.
pub struct Edge {
    pub id: String,
    requests: mpsc::Sender<ConnectRequest>,
    responses: Streaming<ConnectResponse>,
    unread: VecDeque<Out>,
    /// The last event of each attachment that was asked for.
    delivered: HashMap<u64, String>,
}

pub fn quick() -> Config {
    Config {
        session_heartbeat_ms: 100,
        session_edge_grace_ms: 300,
        ..Config::default()
    }
}

impl Stack {
    pub async fn memory() -> Self {
        Self::memory_with(quick()).await
    }

    pub async fn memory_with(config: Config) -> Self {
        let feed = Arc::new(MemoryFeed::new());
        let replica = Replica::start(Service::build_memory(config, feed.clone())).await;
        Self {
            replicas: vec![replica],
            feed,
            redis: None,
        }
    }

    /// Two replicas.
    pub async fn redis() -> Self {
        Self::redis_with(quick()).await
    }

    pub async fn redis_with(config: Config) -> Self {
        let server = RedisServer::start().await;
        let mut replicas = Vec::new();
        for _ in 0..2 {
            replicas.push(Replica::start(Service::build_redis(config.clone(), &server.connect())).await);
        }
        Self {
            replicas,
            feed: Arc::new(RedisFeed::new(server.connect())),
            redis: Some(server),
        }
    }

    /// The `n`th caller's replica.
    pub fn client(&self, n: usize) -> Client {
        self.replicas[n % self.replicas.len()].client()
    }

    pub async fn edge(&self, n: usize, id: &str) -> Edge {
        self.replicas[n % self.replicas.len()].edge(id).await
    }

    pub async fn session(&self, user: &str) -> Session {
        let request = CreateRequest {
            user_id: user.to_owned(),
            protocol_version: "2025-11-25".to_owned(),
            client_info_json: br#"{"name":"test"}"#.as_slice().into(),
            client_capabilities_json: b"{}".as_slice().into(),
        };
        self.client(0)
            .create(request)
            .await
            .unwrap()
            .into_inner()
            .session
            .unwrap()
    }
}

impl Replica {
    pub async fn start(service: Service) -> Self {
        let (listener, replicas) = serving::memory();
        let shutdown = CancellationToken::new();
        tokio::spawn(service.serve(listener, shutdown.clone()));
        let name = "everything.session.v1.SessionService";
        let upstream = Upstream::connect(
            name,
            replicas,
            UpstreamSettings::default(),
            CancellationToken::new(),
        );
        tokio::time::timeout(PATIENCE, upstream.ready())
            .await
            .expect("the service becomes ready");
        Self { shutdown, upstream }
    }

    pub fn channel(&self) -> GrpcChannel {
        self.upstream.channel()
    }

    pub fn client(&self) -> Client {
        Client::new(self.channel())
    }

    pub async fn edge(&self, id: &str) -> Edge {
        let (requests, receiver) = mpsc::channel(1024);
        tokio::spawn(beat(requests.downgrade()));
        let responses = self
            .client()
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
}

impl Edge {
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

pub fn text(event: &Event) -> String {
    match &event.payload {
        Some(event::Payload::MessageJson(json)) => String::from_utf8(json.to_vec()).unwrap(),
        other => panic!("not a message: {other:?}"),
    }
}

pub fn message(json: &str) -> Entry {
    Entry {
        entry: Some(entry::Entry::MessageJson(json.to_owned().into())),
        ..Entry::default()
    }
}

pub fn last(json: &str) -> Entry {
    Entry {
        r#final: true,
        ..message(json)
    }
}

pub fn asking(json: &str, request_id: &str) -> Entry {
    Entry {
        awaits_answer: request_id.to_owned(),
        ..message(json)
    }
}

pub fn open(edge: &str) -> Entry {
    call_of(edge, false)
}

/// The same, of a call that may be run again.
pub fn open_repeatable(edge: &str) -> Entry {
    call_of(edge, true)
}

fn call_of(edge: &str, repeatable: bool) -> Entry {
    let request = OpenRequest {
        request_id_json: b"7".as_slice().into(),
        method: "tools/call".to_owned(),
        params_json: br#"{"name":"echo"}"#.as_slice().into(),
    };
    let call = OpenCall {
        edge_id: edge.to_owned(),
        requests: vec![request],
        repeatable,
        client_id: "client".to_owned(),
        scopes: vec!["mcp".to_owned()],
    };
    Entry {
        entry: Some(entry::Entry::Open(call)),
        ..Entry::default()
    }
}

/// As the edge `one`.
pub async fn append(
    client: &mut Client,
    session: &Session,
    stream: &str,
    entries: Vec<Entry>,
) -> Vec<String> {
    append_as("one", client, session, stream, entries).await.unwrap()
}

pub async fn append_as(
    edge: &str,
    client: &mut Client,
    session: &Session,
    stream: &str,
    entries: Vec<Entry>,
) -> Result<Vec<String>, Status> {
    let request = AppendRequest {
        session_id: session.session_id.clone(),
        user_id: session.user_id.clone(),
        stream: stream.to_owned(),
        entries,
        edge_id: edge.to_owned(),
        ..AppendRequest::default()
    };
    Ok(client.append(request).await?.into_inner().event_ids)
}

/// Runs each scenario on memory (one replica) and on Redis (two).
#[macro_export]
macro_rules! on_both_stores {
    ($($scenario:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario($crate::harness::Stack::memory().await).await;
            })*
        }
        mod redis {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario($crate::harness::Stack::redis().await).await;
            })*
        }
    };
}
