use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use everything_proto::events::v1::{Control, ToClient, ToServer};
use futures::{StreamExt, stream::FuturesUnordered};
use prost::Message as _;
use redis_store::{Delivery, Redis, keys};
use tokio::sync::{mpsc, oneshot};

use super::{Bus, Message, Received, Sink, Subscribed, Topic};
use crate::Error;

/// Deliveries that wait for this process. Beyond, they are dropped, and the log is read again.
const QUEUE: usize = 16 * 1024;

/// Between processes, over Redis pub/sub.
pub struct RedisBus {
    redis: Redis,
    requests: mpsc::UnboundedSender<Request>,
    next: AtomicU64,
}

enum Request {
    Subscribe {
        topic: Topic,
        generation: u64,
        sink: Sink,
        confirmed: oneshot::Sender<Result<(), Error>>,
    },
    Unsubscribe {
        channel: String,
        generation: u64,
    },
}

struct Guard {
    requests: mpsc::UnboundedSender<Request>,
    channel: String,
    generation: u64,
}

struct Reader {
    generation: u64,
    topic: Topic,
    sink: Sink,
}

impl RedisBus {
    /// Its task ends with the bus and its subscriptions.
    pub fn new(redis: Redis) -> Self {
        let (requests, receiver) = mpsc::unbounded_channel();
        tokio::spawn(read(redis.clone(), receiver));
        Self {
            redis,
            requests,
            next: AtomicU64::new(1),
        }
    }
}

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, topic: &Topic, message: Message) -> Result<(), Error> {
        let payload = match message {
            Message::ToServer(message) => message.encode_to_vec(),
            Message::ToClient(message) => message.encode_to_vec(),
            Message::Control(message) => message.encode_to_vec(),
        };
        Ok(self.redis.publish(&channel(topic), &payload).await?)
    }

    async fn subscribe(&self, topic: &Topic, sink: Sink) -> Result<Subscribed, Error> {
        let generation = self.next.fetch_add(1, Ordering::Relaxed);
        let guard = Guard {
            requests: self.requests.clone(),
            channel: channel(topic),
            generation,
        };
        let (confirmed, confirmation) = oneshot::channel();
        let ended = || Error::Unavailable("the subscriber has ended".to_owned());
        self.requests
            .send(Request::Subscribe {
                topic: topic.clone(),
                generation,
                sink,
                confirmed,
            })
            .map_err(|_| ended())?;
        confirmation.await.map_err(|_| ended())??;
        Ok(Subscribed::new(guard))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let channel = std::mem::take(&mut self.channel);
        _ = self.requests.send(Request::Unsubscribe {
            channel,
            generation: self.generation,
        });
    }
}

pub(crate) fn channel(topic: &Topic) -> String {
    match topic {
        Topic::ToServer(id) => keys::session::to_server(id.as_str()),
        Topic::ToClient(id, stream) => keys::session::to_client(id.as_str(), stream.as_str()),
        Topic::Control(id) => keys::session::control(id.as_str()),
    }
}

fn decode(topic: &Topic, payload: &[u8]) -> Result<Message, prost::DecodeError> {
    Ok(match topic {
        Topic::ToServer(_) => Message::ToServer(ToServer::decode(payload)?),
        Topic::ToClient(..) => Message::ToClient(ToClient::decode(payload)?),
        Topic::Control(_) => Message::Control(Control::decode(payload)?),
    })
}

/// The one reader of everything that this process is subscribed to.
async fn read(redis: Redis, mut requests: mpsc::UnboundedReceiver<Request>) {
    let mut subscriber = redis.subscriber(QUEUE);
    let mut readers: HashMap<Arc<str>, Reader> = HashMap::new();
    let mut confirming = FuturesUnordered::new();
    loop {
        tokio::select! {
            request = requests.recv() => match request {
                None => return,
                Some(Request::Subscribe { topic, generation, sink, confirmed }) => {
                    let channel: Arc<str> = channel(&topic).into();
                    readers.insert(channel.clone(), Reader { generation, topic, sink });
                    let confirmation = subscriber.request(channel.clone());
                    confirming.push(async move { (channel, generation, confirmed, confirmation.await) });
                }
                // A newer subscription to the same channel stays.
                Some(Request::Unsubscribe { channel, generation }) => {
                    if readers.get(channel.as_str()).is_some_and(|reader| reader.generation == generation) {
                        readers.remove(channel.as_str());
                        subscriber.unsubscribe(&channel);
                    }
                }
            },
            Some((channel, generation, confirmed, outcome)) = confirming.next() => {
                let failed = outcome.is_err();
                let abandoned = confirmed.send(outcome.map_err(Error::from)).is_err();
                if (failed || abandoned)
                    && readers.get(&channel).is_some_and(|reader| reader.generation == generation)
                {
                    readers.remove(&channel);
                    subscriber.unsubscribe(&channel);
                }
            }
            (channel, delivery) = subscriber.next() => {
                let Some(reader) = readers.get(&channel) else { continue };
                let received = match delivery {
                    Delivery::Resubscribed => Received::Resubscribed,
                    Delivery::Message(payload) => match decode(&reader.topic, &payload) {
                        Ok(message) => Received::Message(message),
                        Err(error) => {
                            tracing::warn!(%error, "unreadable message on a session channel");
                            continue;
                        }
                    },
                };
                let delivery = (reader.topic.clone(), received);
                // Whoever reads never waits for anything but its own memory.
                _ = reader.sink.send(delivery).await;
            }
        }
    }
}
