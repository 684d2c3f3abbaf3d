//! What handlers hold while they use the link. Dropping one ends the use.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use prost::Message;
use tokio::sync::{mpsc, oneshot};

use super::{Answer, Command, StreamEvent};

/// Events that may wait for one client. A client that falls further behind is cut off, and resumes from the log.
const QUEUE: usize = 256;
/// The same in bytes; one event always may.
const QUEUE_BYTES: usize = 1024 * 1024;

/// A client's stream on the link.
pub struct Attachment {
    number: u64,
    events: mpsc::Receiver<StreamEvent>,
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
}

/// The link's end of an attachment.
pub(crate) struct EventSender {
    events: mpsc::Sender<StreamEvent>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    waiting_bytes: AtomicUsize,
    /// Of the last event that was handed out.
    delivered: Mutex<String>,
}

/// Keeps a session followed.
pub struct FollowGuard {
    session_id: Arc<str>,
    commands: mpsc::Sender<Command>,
}

/// An answer that a client owes.
pub struct AwaitedAnswer {
    session_id: Arc<str>,
    request_id: String,
    answer: oneshot::Receiver<Answer>,
    commands: mpsc::Sender<Command>,
}

impl Attachment {
    pub(super) fn new(number: u64, commands: mpsc::Sender<Command>) -> (EventSender, Self) {
        let (sender, events) = mpsc::channel(QUEUE);
        let shared = Arc::<Shared>::default();
        let sender = EventSender {
            events: sender,
            shared: shared.clone(),
        };
        let attachment = Self {
            number,
            events,
            shared,
            commands,
        };
        (sender, attachment)
    }

    /// What comes next; `None` when the client read too slowly and was cut off. Cancel-safe.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        let event = self.events.recv().await?;
        self.shared
            .waiting_bytes
            .fetch_sub(size(&event), Ordering::AcqRel);
        match &event {
            StreamEvent::Attached { event_id } => self.shared.delivered().clone_from(event_id),
            StreamEvent::Event(event) => self.shared.delivered().clone_from(&event.event_id),
            StreamEvent::Detached(_) => {}
        }
        Some(event)
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let command = Command::Detach {
            number: self.number,
            last_event_id: std::mem::take(&mut *self.shared.delivered()),
        };
        release(&self.commands, command);
    }
}

impl EventSender {
    /// False: the client is gone, or reads too slowly.
    pub(super) fn send(&self, event: StreamEvent) -> bool {
        let size = size(&event);
        let waiting = self.shared.waiting_bytes.fetch_add(size, Ordering::AcqRel);
        (waiting == 0 || waiting + size <= QUEUE_BYTES) && self.events.try_send(event).is_ok()
    }

    /// The last event that went to the client. Empty: none did.
    pub(super) fn delivered(&self) -> String {
        self.shared.delivered().clone()
    }
}

impl Shared {
    fn delivered(&self) -> MutexGuard<'_, String> {
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(event: &StreamEvent) -> usize {
    match event {
        StreamEvent::Event(event) => event.encoded_len(),
        StreamEvent::Attached { .. } | StreamEvent::Detached(_) => 0,
    }
}

impl FollowGuard {
    pub(super) fn new(session_id: Arc<str>, commands: mpsc::Sender<Command>) -> Self {
        Self { session_id, commands }
    }
}

impl Drop for FollowGuard {
    fn drop(&mut self) {
        release(
            &self.commands,
            Command::Unfollow {
                session_id: self.session_id.clone(),
            },
        );
    }
}

impl AwaitedAnswer {
    pub(super) fn new(
        session_id: Arc<str>,
        request_id: String,
        answer: oneshot::Receiver<Answer>,
        commands: mpsc::Sender<Command>,
    ) -> Self {
        Self {
            session_id,
            request_id,
            answer,
            commands,
        }
    }

    /// What the client answers; `None` when the session has ended. Cancel-safe.
    pub async fn receive(&mut self) -> Option<Answer> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for AwaitedAnswer {
    fn drop(&mut self) {
        let command = Command::ForgetAnswer {
            session_id: self.session_id.clone(),
            request_id: std::mem::take(&mut self.request_id),
        };
        release(&self.commands, command);
    }
}

/// Sends a command that must not get lost, from where nothing can wait.
fn release(commands: &mpsc::Sender<Command>, command: Command) {
    if let Err(mpsc::error::TrySendError::Full(command)) = commands.try_send(command) {
        let commands = commands.clone();
        tokio::spawn(async move { commands.send(command).await });
    }
}
