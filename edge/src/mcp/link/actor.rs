mod commands;
mod connect;
mod messages;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use everything_proto::session::v1::{
    Attach, CallTakenOver, ConnectRequest, ConnectResponse, Drain, Follow, Heartbeat, Touch, connect_request,
    connect_response, session_service_client::SessionServiceClient,
};
use serving::{GrpcChannel, retry::backoff};
use telemetry::propagation::TraceParent;
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior},
};

use self::connect::{Connected, connect};
use super::{Answer, Command, News, handles::EventSender};
use crate::mcp::{in_flight::InFlight, leaving::Leaving, session_cache::SessionCache};

/// How often touches go out together, and streams are attached again that could not be.
const TICK: Duration = Duration::from_millis(250);
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
    taken_over: mpsc::Sender<CallTakenOver>,
    followed: HashMap<Arc<str>, FollowedSession>,
    attachments: HashMap<u64, AttachedStream>,
    touched: HashSet<Arc<str>>,
    /// Those that the service could not attach.
    unattached: HashSet<u64>,
    /// Where messages to the service go, while connected.
    outbox: Option<mpsc::Sender<ConnectRequest>>,
}

struct FollowedSession {
    user_id: Arc<str>,
    guards: usize,
    confirmed: bool,
    waiting: Vec<oneshot::Sender<()>>,
    answers: HashMap<String, oneshot::Sender<Answer>>,
}

struct AttachedStream {
    session_id: Arc<str>,
    user_id: Arc<str>,
    /// What was delivered last, to take up from there.
    last_event_id: String,
    announced: bool,
    events: EventSender,
}

impl Actor {
    pub(super) fn new(
        client: SessionServiceClient<GrpcChannel>,
        edge_id: Arc<str>,
        cache: Arc<SessionCache>,
        in_flight: Arc<InFlight>,
        up: watch::Sender<bool>,
        news: broadcast::Sender<News>,
        taken_over: mpsc::Sender<CallTakenOver>,
    ) -> Self {
        Self {
            client,
            edge_id,
            cache,
            in_flight,
            up,
            news,
            taken_over,
            followed: HashMap::new(),
            attachments: HashMap::new(),
            touched: HashSet::new(),
            unattached: HashSet::new(),
            outbox: None,
        }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, leaving: Leaving) {
        let mut failures = 0;
        let stopped = leaving.stopped();
        loop {
            let connected = tokio::select! {
                connected = connect(self.client.clone(), self.edge_id.clone()) => connected,
                () = stopped.cancelled() => return,
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
                    let reason = self.serve(connected, &mut commands, &leaving).await;
                    self.outbox = None;
                    self.up.send_replace(false);
                    // Nobody tells of changes now.
                    self.cache.clear();
                    match reason {
                        Ended::Shutdown => return,
                        // Where both stop at the same time, either may be heard of first.
                        Ended::Lost(_) if stopped.is_cancelled() => return,
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
                    () = stopped.cancelled() => return,
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
        leaving: &Leaving,
    ) -> Ended {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beat_at = Instant::now() + connected.heartbeat;
        let mut heard_at = Instant::now();
        let mut draining = false;
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
                    self.attach_again();
                    let now = Instant::now();
                    if now >= beat_at {
                        beat_at = now + connected.heartbeat;
                        self.say(connect_request::Message::Heartbeat(Heartbeat {}));
                    }
                    if now.duration_since(heard_at) > connected.heartbeat * MISSED_HEARTBEATS {
                        return Ended::Lost("the service went silent");
                    }
                }
                () = leaving.begun().cancelled(), if !draining => {
                    draining = true;
                    self.say(connect_request::Message::Drain(Drain {}));
                }
                () = leaving.stopped().cancelled() => return Ended::Shutdown,
            }
            if self.outbox.is_none() {
                return Ended::Lost("the service does not keep up");
            }
        }
    }

    /// Tells a new connection about all that is followed and attached.
    fn take_up(&mut self) {
        self.unattached.clear();
        let mut messages = Vec::with_capacity(self.followed.len() + self.attachments.len());
        for (session_id, followed) in &mut self.followed {
            followed.confirmed = false;
            messages.push(followed.message(session_id, TraceParent::default()));
        }
        for (number, attached) in &self.attachments {
            messages.push(attached.message(*number, TraceParent::default()));
        }
        for message in messages {
            self.say(message);
        }
    }

    fn attach_again(&mut self) {
        for number in std::mem::take(&mut self.unattached) {
            if let Some(stream) = self.attachments.get(&number) {
                let message = stream.message(number, TraceParent::default());
                self.say(message);
            }
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

    fn message(&self, session_id: &str, trace: TraceParent) -> connect_request::Message {
        connect_request::Message::Follow(Follow {
            session_id: session_id.to_owned(),
            user_id: self.user_id.to_string(),
            awaiting: self.answers.keys().cloned().collect(),
            trace: trace.into(),
        })
    }
}

impl AttachedStream {
    fn message(&self, number: u64, trace: TraceParent) -> connect_request::Message {
        connect_request::Message::Attach(Attach {
            attachment: number,
            session_id: self.session_id.to_string(),
            user_id: self.user_id.to_string(),
            last_event_id: self.last_event_id.clone(),
            trace: trace.into(),
        })
    }
}

#[cfg(test)]
mod tests;
