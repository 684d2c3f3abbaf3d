//! The edge's one stream to the session service (`SessionService.Connect`).
//!
//! Everything that reaches the edge unasked comes over it: events of attached streams, answers of clients, cancellations,
//! and word that a cached session is stale. When it breaks, the edge connects again, to whichever replica serves, and
//! takes up every attachment where it was delivered last.

mod actor;
mod handles;

use std::sync::Arc;

use bytes::Bytes;
use everything_proto::{
    events::v1::Change,
    session::v1::{CallTakenOver, Event, detached, session_service_client::SessionServiceClient},
};
use serving::GrpcChannel;
use telemetry::propagation::{self, TraceParent};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use handles::EventSender;
pub use handles::{Attachment, FollowGuard};

use super::{in_flight::InFlight, leaving::Leaving, session_cache::SessionCache};

/// Commands that may wait for the link's task.
const COMMAND_QUEUE: usize = 4096;
/// Calls that may wait to be taken over. Beyond, the link is opened anew, and they are told again.
const TAKEOVER_QUEUE: usize = 4096;
/// Changes that may wait for one listener. One that falls further behind is told of a gap.
const NEWS_QUEUE: usize = 1024;

/// What concerns clients that listen without a session.
#[derive(Clone, Debug)]
pub enum News {
    Change(Arc<Change>),
    /// Changes may have been missed.
    Gap,
}

/// A client's whole response to a request of the server.
#[derive(Debug)]
pub struct Answer {
    pub response: Bytes,
    /// Of its way from the client to here.
    pub trace: TraceParent,
}

/// What the link tells an attached stream.
#[derive(Debug)]
pub enum StreamEvent {
    /// It stands, and starts from this cursor.
    Attached {
        event_id: String,
    },
    Event(Event),
    /// It is over. Always the last.
    Detached(detached::Reason),
}

pub(crate) enum Command {
    Attach {
        session_id: Arc<str>,
        user_id: Arc<str>,
        last_event_id: String,
        events: EventSender,
        number: u64,
        trace: TraceParent,
    },
    Detach {
        number: u64,
        /// Of the last event that went to the client.
        last_event_id: String,
    },
    Follow {
        session_id: Arc<str>,
        user_id: Arc<str>,
        followed: oneshot::Sender<()>,
        trace: TraceParent,
    },
    Unfollow {
        session_id: Arc<str>,
    },
    /// Follows the session, too, until the answer is forgotten.
    Await {
        session_id: Arc<str>,
        user_id: Arc<str>,
        request_id: String,
        answer: oneshot::Sender<Answer>,
        followed: oneshot::Sender<()>,
        trace: TraceParent,
    },
    ForgetAnswer {
        session_id: Arc<str>,
        request_id: String,
    },
    Touch {
        session_id: Arc<str>,
    },
}

/// The link is down and too much waits for it already, or it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkDown;

/// A handle on the link. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    commands: mpsc::Sender<Command>,
    up: watch::Receiver<bool>,
    numbers: Arc<std::sync::atomic::AtomicU64>,
    news: broadcast::Sender<News>,
    edge_id: Arc<str>,
}

impl Link {
    /// Starts the link's task, which ends when `leaving` says that nothing is left to do. Returns the calls that this edge
    /// takes over, too.
    pub fn start(
        client: SessionServiceClient<GrpcChannel>,
        cache: Arc<SessionCache>,
        in_flight: Arc<InFlight>,
        leaving: &Leaving,
    ) -> (Self, mpsc::Receiver<CallTakenOver>) {
        let (commands, receiver) = mpsc::channel(COMMAND_QUEUE);
        let (up_sender, up) = watch::channel(false);
        let edge_id: Arc<str> = uuid::Uuid::new_v4().to_string().into();
        let news = broadcast::Sender::new(NEWS_QUEUE);
        let (taken_over, calls) = mpsc::channel(TAKEOVER_QUEUE);
        let actor = actor::Actor::new(
            client,
            edge_id.clone(),
            cache,
            in_flight,
            up_sender,
            news.clone(),
            taken_over,
        );
        tokio::spawn(actor.run(receiver, leaving.clone()));
        let link = Self {
            commands,
            up,
            numbers: Arc::default(),
            news,
            edge_id,
        };
        (link, calls)
    }

    /// Random, new with every start of this edge.
    pub fn edge_id(&self) -> &str {
        &self.edge_id
    }

    /// Changes from now on.
    pub fn news(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// Waits until word of changes arrives. Callers bound the wait.
    pub async fn until_up(&self) {
        // An error means that the link has ended, and with it the edge.
        _ = self.up.clone().wait_for(|up| *up).await;
    }

    /// Whether word of changes arrives. What is cached counts only while it does.
    pub fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// Whether it is up, and when that changes.
    pub fn ups_and_downs(&self) -> watch::Receiver<bool> {
        self.up.clone()
    }

    /// Attaches a client's stream: from `last_event_id`, or, where that is empty, the standalone stream from what was
    /// delivered last.
    pub fn attach(
        &self,
        session_id: &Arc<str>,
        user_id: &Arc<str>,
        last_event_id: &str,
    ) -> Result<Attachment, LinkDown> {
        let number = self.numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (events, attachment) = Attachment::new(number, self.commands.clone());
        self.send(Command::Attach {
            session_id: session_id.clone(),
            user_id: user_id.clone(),
            last_event_id: last_event_id.to_owned(),
            events,
            number,
            trace: propagation::current(),
        })?;
        Ok(attachment)
    }

    /// Has the session's control messages sent to this edge for as long as the guard lives. Returns when they flow.
    /// Callers bound the wait.
    pub async fn follow(&self, session_id: &Arc<str>, user_id: &Arc<str>) -> Result<FollowGuard, LinkDown> {
        let (followed, confirmation) = oneshot::channel();
        self.send(Command::Follow {
            session_id: session_id.clone(),
            user_id: user_id.clone(),
            followed,
            trace: propagation::current(),
        })?;
        let guard = FollowGuard::new(session_id.clone(), self.commands.clone());
        confirmation.await.map_err(|_| LinkDown)?;
        Ok(guard)
    }

    /// Prepares to receive the client's answer to `request_id`. Returns when an answer given from now on, at any edge, will
    /// arrive here. Callers bound the wait.
    pub async fn await_answer(
        &self,
        session_id: &Arc<str>,
        user_id: &Arc<str>,
        request_id: &str,
    ) -> Result<handles::AwaitedAnswer, LinkDown> {
        let (answer, receiver) = oneshot::channel();
        let (followed, confirmation) = oneshot::channel();
        let request_id = request_id.to_owned();
        self.send(Command::Await {
            session_id: session_id.clone(),
            user_id: user_id.clone(),
            request_id: request_id.clone(),
            answer,
            followed,
            trace: propagation::current(),
        })?;
        let awaited =
            handles::AwaitedAnswer::new(session_id.clone(), request_id, receiver, self.commands.clone());
        confirmation.await.map_err(|_| LinkDown)?;
        Ok(awaited)
    }

    /// The session was used: its time to live is renewed soon, together with others'.
    pub fn touch(&self, session_id: &Arc<str>) {
        // Where the queue is full, the next use touches it.
        _ = self.send(Command::Touch {
            session_id: session_id.clone(),
        });
    }

    fn send(&self, command: Command) -> Result<(), LinkDown> {
        self.commands.try_send(command).map_err(|_| LinkDown)
    }
}
