//! What handlers hold while they use the link. Dropping one ends the use.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{Answer, Command, StreamEvent};

/// A client's stream on the link.
pub struct Attachment {
    number: u64,
    events: mpsc::Receiver<StreamEvent>,
    commands: mpsc::Sender<Command>,
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
    pub(super) fn new(
        number: u64,
        events: mpsc::Receiver<StreamEvent>,
        commands: mpsc::Sender<Command>,
    ) -> Self {
        Self {
            number,
            events,
            commands,
        }
    }

    /// What comes next; `None` when the client read too slowly and was cut off. Cancel-safe.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        self.events.recv().await
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        release(&self.commands, Command::Detach { number: self.number });
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
