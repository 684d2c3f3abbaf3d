use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use everything_proto::session::v1::{
    Attach, ConnectRequest, ConnectResponse, Detach, Detached, Follow, Heartbeat, Hello, Touch, Unfollow,
    connect_request, connect_response, detached, session_service_client::SessionServiceClient,
};
use serving::{CancellationToken, GrpcChannel, lasting, retry::backoff};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{Command, News, StreamEvent};
use crate::{
    jsonrpc::RequestId,
    mcp::{in_flight::InFlight, session_cache::SessionCache},
};

/// Messages that may wait to be sent. A service that reads slower than this fills is left for another replica.
const OUTBOX: usize = 4096;
/// How often touches go out together.
const TICK: Duration = Duration::from_millis(250);
/// How long a new link may take to be welcomed.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(5);
/// Heartbeats that may be missed before the link counts as dead.
const MISSED_HEARTBEATS: u32 = 3;

/// The link's task: owns the table of what this edge follows and holds open.
pub(super) struct Actor {
    client: SessionServiceClient<GrpcChannel>,
    edge_id: Arc<str>,
    cache: Arc<SessionCache>,
    in_flight: Arc<InFlight>,
    up: watch::Sender<bool>,
    news: broadcast::Sender<News>,
    followed: HashMap<Arc<str>, FollowedSession>,
    attachments: HashMap<u64, AttachedStream>,
    touched: HashSet<Arc<str>>,
    /// Where messages to the service go, while connected.
    outbox: Option<mpsc::Sender<ConnectRequest>>,
}

struct FollowedSession {
    user_id: Arc<str>,
    guards: usize,
    confirmed: bool,
    waiting: Vec<oneshot::Sender<()>>,
    answers: HashMap<String, oneshot::Sender<Bytes>>,
}

struct AttachedStream {
    session_id: Arc<str>,
    user_id: Arc<str>,
    /// What was delivered last, to take up from there.
    last_event_id: String,
    announced: bool,
    events: mpsc::Sender<StreamEvent>,
}

/// One life of the link.
struct Connected {
    inbox: Streaming<ConnectResponse>,
    heartbeat: Duration,
}

impl Actor {
    pub(super) fn new(
        client: SessionServiceClient<GrpcChannel>,
        edge_id: Arc<str>,
        cache: Arc<SessionCache>,
        in_flight: Arc<InFlight>,
        up: watch::Sender<bool>,
        news: broadcast::Sender<News>,
    ) -> Self {
        Self {
            client,
            edge_id,
            cache,
            in_flight,
            up,
            news,
            followed: HashMap::new(),
            attachments: HashMap::new(),
            touched: HashSet::new(),
            outbox: None,
        }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, shutdown: CancellationToken) {
        let mut failures = 0;
        loop {
            let connected = tokio::select! {
                connected = connect(self.client.clone(), self.edge_id.clone()) => connected,
                () = shutdown.cancelled() => return,
            };
            match connected {
                Ok((connected, outbox)) => {
                    failures = 0;
                    self.outbox = Some(outbox);
                    self.take_up();
                    // Before the link counts as up: who listens from then on has missed nothing. Nobody listening is no
                    // fault, here and below.
                    _ = self.news.send(News::Gap);
                    self.up.send_replace(true);
                    tracing::debug!("connected to the session service");
                    let reason = self.serve(connected, &mut commands, &shutdown).await;
                    self.outbox = None;
                    self.up.send_replace(false);
                    // Nobody tells of changes now.
                    self.cache.clear();
                    match reason {
                        Ended::Shutdown => return,
                        Ended::Lost(reason) => {
                            tracing::warn!(reason, "the link to the session service broke")
                        }
                    }
                }
                Err(status) => {
                    failures = u32::min(failures + 1, 6);
                    tracing::debug!(code = ?status.code(), "no link to the session service");
                }
            }
            // Commands that come meanwhile change the table, and are carried out by the next connection.
            let pause = tokio::time::sleep(backoff(failures.max(1)));
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    () = shutdown.cancelled() => return,
                    command = commands.recv() => match command {
                        Some(command) => self.obey(command),
                        None => return,
                    },
                }
            }
        }
    }

    async fn serve(
        &mut self,
        mut connected: Connected,
        commands: &mut mpsc::Receiver<Command>,
        shutdown: &CancellationToken,
    ) -> Ended {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beat_at = Instant::now() + connected.heartbeat;
        let mut heard_at = Instant::now();
        loop {
            tokio::select! {
                message = connected.inbox.message() => match message {
                    Ok(Some(ConnectResponse { message: Some(message) })) => {
                        heard_at = Instant::now();
                        if matches!(message, connect_response::Message::Drain(_)) {
                            return Ended::Lost("the replica shuts down");
                        }
                        self.hear(message);
                    }
                    Ok(Some(ConnectResponse { message: None })) => {}
                    Ok(None) => return Ended::Lost("the service ended it"),
                    Err(_) => return Ended::Lost("the connection broke"),
                },
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return Ended::Shutdown,
                },
                _ = ticks.tick() => {
                    self.flush_touches();
                    let now = Instant::now();
                    if now >= beat_at {
                        beat_at = now + connected.heartbeat;
                        self.say(connect_request::Message::Heartbeat(Heartbeat {}));
                    }
                    if now.duration_since(heard_at) > connected.heartbeat * MISSED_HEARTBEATS {
                        return Ended::Lost("the service went silent");
                    }
                }
                () = shutdown.cancelled() => return Ended::Shutdown,
            }
            if self.outbox.is_none() {
                return Ended::Lost("the service does not keep up");
            }
        }
    }

    /// Tells a new connection about all that is followed and attached.
    fn take_up(&mut self) {
        let mut messages = Vec::with_capacity(self.followed.len() + self.attachments.len());
        for (session_id, followed) in &mut self.followed {
            followed.confirmed = false;
            messages.push(followed.message(session_id));
        }
        for (number, attached) in &self.attachments {
            messages.push(attached.message(*number));
        }
        for message in messages {
            self.say(message);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Attach {
                session_id,
                user_id,
                last_event_id,
                events,
                number,
            } => {
                let attached = AttachedStream {
                    session_id,
                    user_id,
                    last_event_id,
                    announced: false,
                    events,
                };
                let message = attached.message(number);
                self.attachments.insert(number, attached);
                self.say(message);
            }
            Command::Detach { number } => {
                if self.attachments.remove(&number).is_some() {
                    self.say(connect_request::Message::Detach(Detach { attachment: number }));
                }
            }
            Command::Follow {
                session_id,
                user_id,
                followed,
            } => {
                let entry = self
                    .followed
                    .entry(session_id.clone())
                    .or_insert_with(|| FollowedSession::new(user_id));
                entry.guards += 1;
                if entry.confirmed {
                    _ = followed.send(());
                    return;
                }
                entry.waiting.push(followed);
                let message = entry.message(&session_id);
                self.say(message);
            }
            Command::Unfollow { session_id } => {
                let Some(entry) = self.followed.get_mut(&session_id) else {
                    return;
                };
                entry.guards = entry.guards.saturating_sub(1);
                if entry.guards == 0 {
                    self.followed.remove(&session_id);
                    self.say(connect_request::Message::Unfollow(Unfollow {
                        session_id: session_id.to_string(),
                    }));
                }
            }
            Command::Await {
                session_id,
                request_id,
                answer,
                followed,
            } => {
                // Without an entry the session is over; dropping the senders says so.
                let Some(entry) = self.followed.get_mut(&session_id) else {
                    return;
                };
                entry.answers.insert(request_id, answer);
                // Named to the service: it knows by itself only who waits on a call's own stream.
                entry.waiting.push(followed);
                let message = entry.message(&session_id);
                self.say(message);
            }
            Command::ForgetAnswer {
                session_id,
                request_id,
            } => {
                if let Some(entry) = self.followed.get_mut(&session_id) {
                    entry.answers.remove(&request_id);
                }
            }
            Command::Touch { session_id } => {
                self.touched.insert(session_id);
            }
        }
    }

    fn hear(&mut self, message: connect_response::Message) {
        use connect_response::Message;
        match message {
            Message::Welcome(_) | Message::Heartbeat(_) | Message::Drain(_) => {}
            Message::Followed(followed) => {
                if let Some(entry) = self.followed.get_mut(followed.session_id.as_str()) {
                    entry.confirmed = true;
                    for waiting in entry.waiting.drain(..) {
                        _ = waiting.send(());
                    }
                }
            }
            Message::Attached(attached) => {
                if let Some(stream) = self.attachments.get_mut(&attached.attachment) {
                    if stream.last_event_id.is_empty() {
                        stream.last_event_id.clone_from(&attached.event_id);
                    }
                    if !stream.announced {
                        stream.announced = true;
                        self.deliver(
                            attached.attachment,
                            StreamEvent::Attached {
                                event_id: attached.event_id,
                            },
                        );
                    }
                }
            }
            Message::Event(event) => {
                let number = event.attachment;
                let last = event.r#final;
                if let Some(stream) = self.attachments.get_mut(&number) {
                    stream.last_event_id.clone_from(&event.event_id);
                    self.deliver(number, StreamEvent::Event(event));
                }
                if last {
                    self.attachments.remove(&number);
                }
            }
            Message::Detached(Detached { attachment, reason }) => {
                let reason = detached::Reason::try_from(reason).unwrap_or_default();
                if reason == detached::Reason::Unavailable {
                    // The client need not know: it is attached again.
                    if let Some(stream) = self.attachments.get(&attachment) {
                        let message = stream.message(attachment);
                        self.say(message);
                    }
                    return;
                }
                self.deliver(attachment, StreamEvent::Detached(reason));
                self.attachments.remove(&attachment);
            }
            Message::Answered(answered) => {
                let entry = self.followed.get_mut(answered.session_id.as_str());
                if let Some(answer) = entry.and_then(|entry| entry.answers.remove(&answered.request_id)) {
                    _ = answer.send(answered.response_json);
                }
            }
            Message::Cancelled(cancelled) => {
                if let Ok(request_id) = RequestId::from_json(&cancelled.request_id_json) {
                    self.in_flight.cancel(&cancelled.session_id, &request_id);
                }
            }
            Message::SessionUpdated(updated) => self.cache.forget(&updated.session_id),
            Message::SessionEnded(ended) => {
                self.cache.forget(&ended.session_id);
                self.followed.remove(ended.session_id.as_str());
                self.in_flight.cancel_session(&ended.session_id);
            }
            Message::Change(change) => _ = self.news.send(News::Change(Arc::new(change))),
        }
    }

    fn deliver(&mut self, number: u64, event: StreamEvent) {
        if let Some(stream) = self.attachments.get(&number)
            && stream.events.try_send(event).is_err()
        {
            // Too slow, or gone. Its client resumes from the log.
            self.attachments.remove(&number);
            self.say(connect_request::Message::Detach(Detach { attachment: number }));
        }
    }

    fn flush_touches(&mut self) {
        if !self.touched.is_empty() {
            let session_ids = self
                .touched
                .drain()
                .map(|session_id| session_id.to_string())
                .collect();
            self.say(connect_request::Message::Touch(Touch { session_ids }));
        }
    }

    fn say(&mut self, message: connect_request::Message) {
        if let Some(outbox) = &self.outbox
            && outbox
                .try_send(ConnectRequest {
                    message: Some(message),
                })
                .is_err()
        {
            self.outbox = None;
        }
    }
}

enum Ended {
    Shutdown,
    Lost(&'static str),
}

impl FollowedSession {
    fn new(user_id: Arc<str>) -> Self {
        Self {
            user_id,
            guards: 0,
            confirmed: false,
            waiting: Vec::new(),
            answers: HashMap::new(),
        }
    }

    fn message(&self, session_id: &str) -> connect_request::Message {
        connect_request::Message::Follow(Follow {
            session_id: session_id.to_owned(),
            user_id: self.user_id.to_string(),
            awaiting: self.answers.keys().cloned().collect(),
        })
    }
}

impl AttachedStream {
    fn message(&self, number: u64) -> connect_request::Message {
        connect_request::Message::Attach(Attach {
            attachment: number,
            session_id: self.session_id.to_string(),
            user_id: self.user_id.to_string(),
            last_event_id: self.last_event_id.clone(),
        })
    }
}

/// Opens the stream and waits to be welcomed.
async fn connect(
    mut client: SessionServiceClient<GrpcChannel>,
    edge_id: Arc<str>,
) -> Result<(Connected, mpsc::Sender<ConnectRequest>), Status> {
    let (outbox, messages) = mpsc::channel(OUTBOX);
    let hello = connect_request::Message::Hello(Hello {
        edge_id: edge_id.to_string(),
    });
    outbox
        .try_send(ConnectRequest { message: Some(hello) })
        .map_err(|_| Status::internal("a new queue is full"))?;
    let welcomed = async {
        let opening = lasting(ReceiverStream::new(messages), WELCOME_TIMEOUT);
        let mut inbox = client.connect(opening).await?.into_inner();
        loop {
            match inbox.message().await? {
                Some(ConnectResponse {
                    message: Some(connect_response::Message::Welcome(welcome)),
                }) => {
                    let heartbeat = Duration::from_millis(welcome.heartbeat_interval_ms.clamp(100, 60_000));
                    return Ok(Connected { inbox, heartbeat });
                }
                Some(_) => {}
                None => return Err(Status::unavailable("the session service ended the link")),
            }
        }
    };
    let connected = tokio::time::timeout(WELCOME_TIMEOUT, welcomed)
        .await
        .map_err(|_| Status::deadline_exceeded("the session service does not welcome the link"))??;
    Ok((connected, outbox))
}
