//! One pub/sub connection to one server. It knows of no readers, only of what it was told to subscribe to.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use redis::{
    AsyncConnectionConfig, ConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisError, Value,
    aio::{MultiplexedConnection, SendError},
};
use tokio::sync::{Notify, mpsc};

use super::{BATCH, CONFIRM_TIMEOUT};
use crate::{
    Error,
    link::{Backoff, Locator, Peer},
    observe::Meter,
};

/// The connection is asked this often whether it still lives.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// Told apart, so that nothing of an earlier connection is taken for the present one's.
pub(super) type Epoch = u64;

/// For the line of this epoch; others pass it over.
pub(super) struct Order {
    pub(super) epoch: Epoch,
    pub(super) change: Change,
}

pub(super) enum Change {
    Subscribe(Vec<Arc<str>>),
    Unsubscribe(Vec<Arc<str>>),
}

/// What a line tells. Nothing is subscribed to when one comes up.
pub(super) enum Event {
    Up {
        line: u64,
        epoch: Epoch,
    },
    Subscribed {
        line: u64,
        epoch: Epoch,
        channels: Vec<Arc<str>>,
    },
    Message {
        channel: String,
        payload: Bytes,
    },
    Down {
        line: u64,
        error: Error,
    },
}

/// Commands of RESP3 pub/sub; on a cluster, of sharded pub/sub.
#[derive(Clone, Copy)]
pub(super) struct Verbs {
    pub(super) subscribe: &'static str,
    pub(super) unsubscribe: &'static str,
}

pub(super) struct Line {
    pub(super) number: u64,
    pub(super) locator: Locator,
    pub(super) verbs: Verbs,
    pub(super) meter: Arc<Meter>,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    pub(super) events: mpsc::Sender<Event>,
}

/// What the driver of a connection hears, and whom it tells.
struct Ear {
    events: mpsc::Sender<Event>,
    /// Unsubscriptions that were asked for. Any other means that the slot has moved.
    expected: Mutex<HashMap<String, usize>>,
    unusable: Notify,
}

impl Line {
    /// Until nobody gives orders any more.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut epoch = 0;
        loop {
            epoch += 1;
            let error = tokio::select! {
                opened = open(&self.locator, &self.events) => match opened {
                    Ok((connection, peer, ear)) => {
                        let _open = self.meter.opened(epoch > 1);
                        backoff.reset();
                        match self.serve(epoch, connection, &peer, &ear).await {
                            Some(error) => error,
                            None => return,
                        }
                    }
                    Err(error) => error.into(),
                },
                () = idle(&mut self.orders) => return,
            };
            let down = Event::Down {
                line: self.number,
                error,
            };
            if self.events.send(down).await.is_err() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next()) => {}
                () = idle(&mut self.orders) => return,
            }
        }
    }

    /// Serves one connection, until it is lost: why. `None`: nobody needs it any more.
    async fn serve(
        &mut self,
        epoch: Epoch,
        connection: MultiplexedConnection,
        peer: &Peer,
        ear: &Ear,
    ) -> Option<Error> {
        let line = self.number;
        self.events.send(Event::Up { line, epoch }).await.ok()?;
        let mut pings = tokio::time::interval(PING_INTERVAL);
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    None => return None,
                    Some(order) if order.epoch != epoch => {}
                    Some(Order { change: Change::Subscribe(channels), .. }) => {
                        let subscribed = self.say(&connection, self.verbs.subscribe, &channels).await;
                        if let Err(error) = subscribed {
                            return Some(error);
                        }
                        self.events.send(Event::Subscribed { line, epoch, channels }).await.ok()?;
                    }
                    Some(Order { change: Change::Unsubscribe(channels), .. }) => {
                        ear.expect(&channels);
                        if let Err(error) = self.say(&connection, self.verbs.unsubscribe, &channels).await {
                            return Some(error);
                        }
                    }
                },
                () = ear.unusable.notified() => return Some(Error::Unreachable),
                _ = pings.tick() => {
                    if !self.locator.leads_to(peer) {
                        return Some(Error::ReadOnly);
                    }
                    let mut connection = connection.clone();
                    if let Err(error) = redis::cmd("PING").query_async::<Value>(&mut connection).await {
                        return Some(error.into());
                    }
                }
            }
        }
    }

    /// One command per channel: on a cluster they may be of different slots.
    async fn say(
        &self,
        connection: &MultiplexedConnection,
        verb: &str,
        channels: &[Arc<str>],
    ) -> Result<(), Error> {
        for batch in channels.chunks(BATCH) {
            let mut pipeline = redis::pipe();
            for channel in batch {
                pipeline.cmd(verb).arg(&**channel);
            }
            let replies = connection
                .clone()
                .send_packed_commands(&pipeline, 0, batch.len())
                .await?;
            for reply in replies {
                reply.extract_error()?;
            }
        }
        Ok(())
    }
}

impl Ear {
    /// Called by the driver of the connection, which must not wait.
    fn hear(&self, push: PushInfo) -> Result<(), SendError> {
        let mut words = push.data.into_iter();
        let channel = text(words.next());
        match push.kind {
            PushKind::Message | PushKind::SMessage => {
                let payload = match words.next() {
                    Some(Value::BulkString(payload)) => payload.into(),
                    _ => Bytes::new(),
                };
                // Whoever reads all this is behind by so much that it reads the logs in any case.
                if self.events.try_send(Event::Message { channel, payload }).is_err() {
                    self.unusable.notify_one();
                }
            }
            PushKind::Unsubscribe | PushKind::SUnsubscribe if !self.was_asked_for(&channel) => {
                self.unusable.notify_one();
            }
            PushKind::Disconnection => self.unusable.notify_one(),
            _ => {}
        }
        Ok(())
    }

    fn expect(&self, channels: &[Arc<str>]) {
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        for channel in channels {
            *expected.entry(channel.to_string()).or_default() += 1;
        }
    }

    fn was_asked_for(&self, channel: &str) -> bool {
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = expected.get_mut(channel) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            expected.remove(channel);
        }
        true
    }
}

async fn open(
    locator: &Locator,
    events: &mpsc::Sender<Event>,
) -> Result<(MultiplexedConnection, Peer, Arc<Ear>), RedisError> {
    let ear = Arc::new(Ear {
        events: events.clone(),
        expected: Mutex::default(),
        unusable: Notify::new(),
    });
    let hears = ear.clone();
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(Some(CONFIRM_TIMEOUT))
        .set_push_sender(move |push: PushInfo| hears.hear(push));
    let (connection, peer) = locator.connect(config, resp3).await?;
    Ok((connection, peer, ear))
}

fn resp3(info: ConnectionInfo) -> ConnectionInfo {
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    info.set_redis_settings(settings)
}

fn text(word: Option<Value>) -> String {
    match word {
        Some(Value::BulkString(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        Some(Value::SimpleString(text)) => text,
        _ => String::new(),
    }
}

/// Returns when nobody gives orders any more. Those for an earlier connection are passed over.
async fn idle(orders: &mut mpsc::UnboundedReceiver<Order>) {
    while orders.recv().await.is_some() {}
}
