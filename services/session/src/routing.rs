//! Which session concerns which edge: maps, and a task only while there is something to do.

mod attach;
mod follow;
mod serve;
mod table;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use change_feed::ChangeFeed;
use everything_proto::{
    events::v1::{Cancel, Control, Superseded, ToClient, ToServer, TraceContext, control::Action},
    session::v1::{
        Cancelled, Detached, SessionEnded, SessionUpdated, connect_response::Message as Out, detached,
    },
};
use telemetry::{Metrics, messaging, metrics::server, propagation, spans};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span};

use self::table::Table;
pub(crate) use self::table::{Attachment, Live, View};
use crate::{
    Error, Position, SessionId, StreamName,
    bus::{Bus, Message, Received, Topic},
    event_log::EventId,
    lifetimes::Lifetimes,
    store::Store,
    sync::lock,
    tasks,
    topics::Topics,
};

/// Wake-ups that wait for this replica's dispatcher.
const DISPATCH_QUEUE: usize = 16 * 1024;

/// Times of links and sweeps.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// How often both sides of a link show that they are alive.
    pub heartbeat: Duration,
    /// For how long an edge may be away before its calls are ended.
    pub edge_grace: Duration,
    /// Time to live of a session, as the store has it.
    pub ttl: Duration,
}

/// Everything that this replica knows of the edges, and does for them.
pub(crate) struct Hub {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) feed: Arc<dyn ChangeFeed>,
    /// The tasks of clients, which edges run.
    pub(crate) runs: Arc<tasks::Operations>,
    pub(crate) settings: LinkSettings,
    pub(crate) tasks: TaskTracker,
    pub(crate) stopping: CancellationToken,
    pub(crate) table: Mutex<Table>,
    /// Sessions whose time to live is to be renewed with the next batch.
    pub(crate) touched: Mutex<HashSet<SessionId>>,
    /// The sessions that this replica made.
    pub(crate) lifetimes: Arc<Lifetimes>,
    /// Attachments whose last read failed.
    retries: Mutex<Vec<Arc<Attachment>>>,
    topics: Arc<Topics>,
    /// Tells this replica's attachments from those of others.
    replica: String,
    next_number: AtomicU64,
}

impl Hub {
    /// Starts the dispatcher.
    pub(crate) fn start(
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        feed: Arc<dyn ChangeFeed>,
        runs: Arc<tasks::Operations>,
        settings: LinkSettings,
        metrics: &Metrics,
        stopping: CancellationToken,
    ) -> Result<Arc<Self>, Error> {
        let (sink, deliveries) = mpsc::channel(DISPATCH_QUEUE);
        let waiting = sink.downgrade();
        server::queue(metrics, "wake_ups", DISPATCH_QUEUE as u64, move || {
            let sink = waiting.upgrade()?;
            Some((sink.max_capacity() - sink.capacity()) as u64)
        });
        let hub = Arc::new(Self {
            lifetimes: Lifetimes::new(metrics, settings.ttl),
            store,
            topics: Topics::new(bus.clone(), sink),
            bus,
            feed,
            runs,
            settings,
            tasks: TaskTracker::new(),
            stopping,
            table: Mutex::default(),
            touched: Mutex::default(),
            retries: Mutex::default(),
            // As random as a session id.
            replica: SessionId::generate()?.as_str().to_owned(),
            next_number: AtomicU64::new(1),
        });
        tokio::spawn(dispatch(Arc::downgrade(&hub), deliveries));
        Ok(hub)
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// Announces that a stream has grown. A lost announcement delays the entry to the next one.
    pub(crate) async fn announce(&self, session: &SessionId, stream: &StreamName, position: Position) {
        let event_id = EventId {
            stream: stream.clone(),
            position,
        }
        .to_string();
        let topic = Topic::ToClient(session.clone(), stream.clone());
        let id = event_id.clone();
        let message = |trace| Message::ToClient(ToClient { event_id, trace });
        self.publish(topic, &id, message).await;
    }

    pub(crate) async fn announce_answer(&self, session: &SessionId, request_id: &str) {
        let message = |trace| {
            Message::ToServer(ToServer {
                request_id: request_id.to_owned(),
                trace,
            })
        };
        self.publish(Topic::ToServer(session.clone()), request_id, message)
            .await;
    }

    pub(crate) async fn control(&self, session: &SessionId, action: Action) {
        let message = |trace| {
            Message::Control(Control {
                action: Some(action),
                trace,
            })
        };
        self.publish(Topic::Control(session.clone()), "", message).await;
    }

    /// `message` gets the context of its publication.
    async fn publish(
        &self,
        topic: Topic,
        id: &str,
        message: impl FnOnce(Option<TraceContext>) -> Message + Send,
    ) {
        // What a sweep does belongs to no request.
        let span = if Span::current().is_none() {
            Span::none()
        } else {
            messaging::publish(topic.template())
        };
        if !id.is_empty() {
            messaging::set_message_id(&span, id);
        }
        let message = message(propagation::of(&span).into());
        let published = self.bus.publish(&topic, message).instrument(span.clone()).await;
        if let Err(error) = published {
            spans::fail(&span, "unavailable", "");
            // What it announces is stored; readers look again when their subscription comes back, and at every sweep.
            tracing::warn!(%error, "a wake-up was not published");
        }
    }

    /// The session is over: its followers and attachments learn it, and it is forgotten.
    pub(crate) fn end_session(&self, id: &SessionId) {
        self.lifetimes.expired(id);
        let Some(route) = lock(&self.table).remove_session(id) else {
            return;
        };
        for follower in route.followers.values() {
            follower.link.send(Out::SessionEnded(SessionEnded {
                session_id: id.as_str().to_owned(),
            }));
        }
        for attachment in route.attachments.values() {
            attachment.end();
            attachment
                .link
                .send(detached(attachment.number, detached::Reason::SessionNotFound));
        }
    }

    /// Reads again, later, what could not be read now.
    pub(crate) fn retry(&self, attachment: Arc<Attachment>) {
        lock(&self.retries).push(attachment);
    }

    pub(crate) fn run_retries(self: &Arc<Self>) {
        for attachment in std::mem::take(&mut *lock(&self.retries)) {
            self.wake(&attachment);
        }
    }

    fn on_message(self: &Arc<Self>, topic: Topic, message: Message) {
        let span = messaging::process(topic.template(), &message.sender());
        // What comes of it in other tasks takes the span along.
        span.in_scope(|| self.work_on(topic, message));
    }

    fn work_on(self: &Arc<Self>, topic: Topic, message: Message) {
        match (topic, message) {
            (Topic::ToServer(id), Message::ToServer(_)) => {
                self.deliver_answers(&id, false, propagation::current().into());
            }
            (Topic::ToClient(id, stream), Message::ToClient(_)) => self.wake_stream(&id, &stream),
            (Topic::Control(id), Message::Control(control)) => match control.action {
                Some(Action::Shutdown(_)) => {
                    self.lifetimes.deleted(&id);
                    self.end_session(&id);
                }
                Some(Action::Cancel(cancel)) => self.deliver_cancel(&id, cancel),
                Some(Action::Updated(_)) => self.session_updated(&id),
                Some(Action::Superseded(superseded)) => self.holder_changed(&id, &superseded),
                None => {}
            },
            (topic, _) => tracing::warn!(?topic, "a message of another type on this topic"),
        }
    }

    /// Messages may have been lost: look at what they announce.
    fn on_gap(self: &Arc<Self>, topic: Topic) {
        match topic {
            Topic::ToServer(id) => self.deliver_answers(&id, true, None),
            Topic::ToClient(id, stream) => self.wake_stream(&id, &stream),
            Topic::Control(id) => {
                let hub = self.clone();
                self.tasks.spawn(async move { hub.resume_control(&id).await });
            }
        }
    }

    async fn resume_control(self: Arc<Self>, id: &SessionId) {
        match self.store.missing(std::slice::from_ref(id)).await {
            Ok(missing) if missing.is_empty() => {}
            Ok(_) => return self.end_session(id),
            // The sweep finds out.
            Err(error) => return tracing::debug!(%error, "a session could not be looked up"),
        }
        self.session_updated(id);
        self.holder_changed(id, &Superseded::default());
        if let Ok(cancels) = self.store.cancels(id).await {
            for (request_id_json, reason) in cancels {
                self.deliver_cancel(
                    id,
                    Cancel {
                        request_id_json,
                        reason,
                    },
                );
            }
        }
    }

    fn deliver_cancel(&self, id: &SessionId, cancel: Cancel) {
        for link in lock(&self.table).followers(id) {
            link.send(Out::Cancelled(Cancelled {
                session_id: id.as_str().to_owned(),
                request_id_json: cancel.request_id_json.clone(),
                reason: cancel.reason.clone(),
            }));
        }
    }

    fn session_updated(self: &Arc<Self>, id: &SessionId) {
        let (followers, has_standalone) = {
            let table = lock(&self.table);
            (table.followers(id), table.has_standalone(id))
        };
        for link in followers {
            link.send(Out::SessionUpdated(SessionUpdated {
                session_id: id.as_str().to_owned(),
            }));
        }
        if has_standalone {
            self.spawn_catch_up(id.clone());
        }
    }
}

fn detached(attachment: u64, reason: detached::Reason) -> Out {
    Out::Detached(Detached {
        attachment,
        reason: reason.into(),
    })
}

/// Hands wake-ups on. Never waits for a store or an edge.
async fn dispatch(hub: std::sync::Weak<Hub>, mut deliveries: mpsc::Receiver<(Topic, Received)>) {
    while let Some((topic, received)) = deliveries.recv().await {
        let Some(hub) = hub.upgrade() else { return };
        match received {
            Received::Message(message) => hub.on_message(topic, message),
            Received::Resubscribed => hub.on_gap(topic),
        }
    }
}
