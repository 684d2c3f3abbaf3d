//! Wake-ups between replicas. They may be lost; the log is the truth.

pub mod memory;
pub mod redis;

use std::any::Any;

use async_trait::async_trait;
use everything_proto::events::v1::{Control, ToClient, ToServer};
use telemetry::{messaging, propagation::TraceParent};
use tokio::sync::mpsc;

pub use self::{memory::MemoryBus, redis::RedisBus};
use crate::{Error, SessionId, StreamName};

/// What a wake-up is about. Each topic carries one type of message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// [`ToServer`]: an answer of the client waits.
    ToServer(SessionId),
    /// [`ToClient`]: a stream has grown.
    ToClient(SessionId, StreamName),
    /// [`Control`].
    Control(SessionId),
}

impl Topic {
    /// Its channel, with placeholders for the ids in it.
    pub fn template(&self) -> &'static str {
        match self {
            Self::ToServer(_) => messaging::TO_SERVER,
            Self::ToClient(..) => messaging::TO_CLIENT,
            Self::Control(_) => messaging::CONTROL,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    ToServer(ToServer),
    ToClient(ToClient),
    Control(Control),
}

impl Message {
    /// The context of whoever published it.
    pub fn sender(&self) -> TraceParent {
        match self {
            Self::ToServer(message) => &message.trace,
            Self::ToClient(message) => &message.trace,
            Self::Control(message) => &message.trace,
        }
        .clone()
        .into()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    Message(Message),
    /// Messages may have been lost. Read the log again.
    Resubscribed,
}

/// Where messages of all topics of one subscriber arrive.
pub type Sink = mpsc::Sender<(Topic, Received)>;

/// Ends the subscription when dropped.
pub struct Subscribed(#[expect(dead_code, reason = "held for its drop")] Box<dyn Any + Send + Sync>);

impl Subscribed {
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

/// Publishes to whoever is subscribed, in this process or another.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    async fn publish(&self, topic: &Topic, message: Message) -> Result<(), Error>;

    /// Returns once the subscription stands: what is published after that arrives, or [`Received::Resubscribed`] does.
    async fn subscribe(&self, topic: &Topic, sink: Sink) -> Result<Subscribed, Error>;
}
