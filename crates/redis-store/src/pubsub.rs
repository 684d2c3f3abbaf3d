//! One pub/sub connection for the whole process.
//!
//! Pub/sub loses what is published while a connection is down. So every subscription is confirmed before it counts, is
//! renewed after a loss, and its reader is told of each gap ([`Delivery::Resubscribed`]) so that it reads the log again.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use tokio::sync::{mpsc, oneshot};

use crate::Error;

/// Subscription requests that may wait for the connection.
const REQUEST_QUEUE: usize = 4096;
/// Requests sent to Redis as one command.
const REQUEST_BATCH: usize = 128;
/// How long Redis may take to confirm a subscription.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(3);
const RECONNECT_DELAY: Duration = Duration::from_millis(100);
/// The pub/sub connection is asked this often whether it still lives.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// What arrives on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    Message(Bytes),
    /// Messages may have been missed: read the log again.
    Resubscribed,
}

/// Receives from any number of channels through one bounded queue. A reader that falls behind loses messages and is
/// told so by [`Delivery::Resubscribed`] on every channel it has.
pub struct Subscriber {
    id: u64,
    requests: mpsc::Sender<Request>,
    queue: mpsc::Receiver<(Arc<str>, Delivery)>,
    sender: mpsc::Sender<(Arc<str>, Delivery)>,
    overflowed: Arc<AtomicBool>,
    channels: HashSet<Arc<str>>,
    gaps: Vec<Arc<str>>,
}

/// Receives from one channel; ends its subscription when dropped.
pub struct Subscription(Subscriber);

pub(crate) struct Hub {
    requests: mpsc::Sender<Request>,
    next: AtomicU64,
}

enum Request {
    Subscribe {
        channel: Arc<str>,
        reader: Reader,
        confirmed: oneshot::Sender<Result<(), Error>>,
    },
    Unsubscribe {
        channel: Arc<str>,
        id: u64,
    },
}

#[derive(Clone)]
struct Reader {
    id: u64,
    queue: mpsc::Sender<(Arc<str>, Delivery)>,
    overflowed: Arc<AtomicBool>,
}

impl Hub {
    pub(crate) fn start(client: redis::Client) -> Self {
        let (requests, receiver) = mpsc::channel(REQUEST_QUEUE);
        tokio::spawn(
            Connection {
                client,
                requests: receiver,
                readers: HashMap::new(),
            }
            .run(),
        );
        Self {
            requests,
            next: AtomicU64::new(0),
        }
    }

    pub(crate) fn subscriber(&self, capacity: usize) -> Subscriber {
        let (sender, queue) = mpsc::channel(capacity);
        Subscriber {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            requests: self.requests.clone(),
            queue,
            sender,
            overflowed: Arc::default(),
            channels: HashSet::new(),
            gaps: Vec::new(),
        }
    }
}

impl Subscriber {
    /// Returns once Redis has confirmed the subscription: what is published from now on is delivered.
    pub async fn subscribe(&mut self, channel: impl Into<Arc<str>>) -> Result<(), Error> {
        self.request(channel).await
    }

    /// Like [`Subscriber::subscribe`], for a reader that goes on reading while Redis confirms: the request is on its way
    /// when this returns, and the future, which needs nothing of the subscriber, tells the outcome.
    pub fn request<C: Into<Arc<str>>>(
        &mut self,
        channel: C,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<C> {
        let channel = channel.into();
        let reader = Reader {
            id: self.id,
            queue: self.sender.clone(),
            overflowed: self.overflowed.clone(),
        };
        let (confirmed, confirmation) = oneshot::channel();
        self.channels.insert(channel.clone());
        let request = Request::Subscribe {
            channel,
            reader,
            confirmed,
        };
        let requested = self.requests.try_send(request).map_err(|_| Error::Unreachable);
        async move {
            requested?;
            match tokio::time::timeout(CONFIRM_TIMEOUT, confirmation).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Err(Error::Unreachable),
                Err(_) => Err(Error::Timeout),
            }
        }
    }

    pub fn unsubscribe(&mut self, channel: &str) {
        if let Some(channel) = self.channels.take(channel) {
            self.forget(channel);
        }
    }

    /// The next delivery and the channel that it came on. Never ends by itself. Cancel-safe.
    pub async fn next(&mut self) -> (Arc<str>, Delivery) {
        loop {
            if let Some(channel) = self.gaps.pop() {
                return (channel, Delivery::Resubscribed);
            }
            if self.queue.is_empty() && self.overflowed.swap(false, Ordering::AcqRel) {
                self.gaps = self.channels.iter().cloned().collect();
                continue;
            }
            // `self.sender` keeps the queue open.
            if let Some((channel, delivery)) = self.queue.recv().await
                && self.channels.contains(&channel)
            {
                return (channel, delivery);
            }
        }
    }

    fn forget(&self, channel: Arc<str>) {
        let request = Request::Unsubscribe { channel, id: self.id };
        if let Err(mpsc::error::TrySendError::Full(request)) = self.requests.try_send(request) {
            // The connection is away and many wait for it; this one may wait longer than its caller.
            let requests = self.requests.clone();
            tokio::spawn(async move { requests.send(request).await });
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        for channel in std::mem::take(&mut self.channels) {
            self.forget(channel);
        }
    }
}

impl Subscription {
    pub(crate) async fn open(mut subscriber: Subscriber, channel: String) -> Result<Self, Error> {
        subscriber.subscribe(channel).await?;
        Ok(Self(subscriber))
    }

    /// The next delivery. Never ends by itself. Cancel-safe.
    pub async fn next(&mut self) -> Delivery {
        self.0.next().await.1
    }
}

impl Reader {
    fn deliver(&self, channel: &Arc<str>, delivery: Delivery) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send((channel.clone(), delivery)) {
            self.overflowed.store(true, Ordering::Release);
        }
    }
}

/// The actor that owns the connection and the table of readers.
struct Connection {
    client: redis::Client,
    requests: mpsc::Receiver<Request>,
    readers: HashMap<Arc<str>, Vec<Reader>>,
}

impl Connection {
    async fn run(mut self) {
        // Nothing is opened before somebody subscribes.
        let mut first = Vec::new();
        if self.requests.recv_many(&mut first, REQUEST_BATCH).await == 0 {
            return;
        }
        let mut waiting = self.admit(first);
        loop {
            match self.open().await {
                Ok((mut sink, mut stream)) => {
                    for confirmed in waiting.drain(..) {
                        _ = confirmed.send(Ok(()));
                    }
                    if self.serve(&mut sink, &mut stream).await {
                        return;
                    }
                    tracing::warn!("the pub/sub connection to redis was lost");
                }
                Err(error) => {
                    tracing::debug!(%error, "no pub/sub connection to redis");
                    for confirmed in waiting.drain(..) {
                        _ = confirmed.send(Err(error.clone()));
                    }
                }
            }
            tokio::time::sleep(RECONNECT_DELAY).await;
            // Whoever asked meanwhile learns the outcome of the next attempt.
            let mut batch = Vec::new();
            while let Ok(request) = self.requests.try_recv() {
                batch.push(request);
            }
            waiting = self.admit(batch);
            if self.requests.is_closed() && self.readers.is_empty() {
                return;
            }
        }
    }

    /// Connects, subscribes to all that is wanted, and tells readers that there was a gap.
    async fn open(&mut self) -> Result<(PubSubSink, PubSubStream), Error> {
        let connect = async {
            let (mut sink, stream) = self.client.get_async_pubsub().await?.split();
            let channels: Vec<&str> = self.readers.keys().map(AsRef::as_ref).collect();
            for batch in channels.chunks(REQUEST_BATCH) {
                sink.subscribe(batch).await?;
            }
            Ok::<_, redis::RedisError>((sink, stream))
        };
        let opened = tokio::time::timeout(CONFIRM_TIMEOUT, connect)
            .await
            .map_err(|_| Error::Timeout)??;
        for (channel, readers) in &self.readers {
            for reader in readers {
                reader.deliver(channel, Delivery::Resubscribed);
            }
        }
        Ok(opened)
    }

    /// Serves one connection. True: everybody is gone; false: the connection was lost.
    async fn serve(&mut self, sink: &mut PubSubSink, stream: &mut PubSubStream) -> bool {
        let mut batch = Vec::new();
        let mut pings = tokio::time::interval(PING_INTERVAL);
        loop {
            tokio::select! {
                message = stream.next() => {
                    let Some(message) = message else { return false };
                    self.dispatch(&message);
                }
                count = self.requests.recv_many(&mut batch, REQUEST_BATCH) => {
                    if count == 0 {
                        return true;
                    }
                    if !self.change(std::mem::take(&mut batch), sink).await {
                        return false;
                    }
                }
                _ = pings.tick() => {
                    let ping = tokio::time::timeout(CONFIRM_TIMEOUT, sink.ping::<redis::Value>());
                    if !matches!(ping.await, Ok(Ok(_))) {
                        return false;
                    }
                }
            }
        }
    }

    fn dispatch(&self, message: &redis::Msg) {
        if let Some((channel, readers)) = self.readers.get_key_value(message.get_channel_name()) {
            let payload = Bytes::copy_from_slice(message.get_payload_bytes());
            for reader in readers {
                reader.deliver(channel, Delivery::Message(payload.clone()));
            }
        }
    }

    /// Takes requests into the table; returns who waits for a confirmation.
    fn admit(&mut self, batch: Vec<Request>) -> Vec<oneshot::Sender<Result<(), Error>>> {
        let mut waiting = Vec::new();
        for request in batch {
            match request {
                Request::Subscribe {
                    channel,
                    reader,
                    confirmed,
                } => {
                    let readers = self.readers.entry(channel).or_default();
                    // Asked again after a failure, it is still one reader.
                    readers.retain(|known| known.id != reader.id);
                    readers.push(reader);
                    waiting.push(confirmed);
                }
                Request::Unsubscribe { channel, id } => {
                    if let Some(readers) = self.readers.get_mut(&channel) {
                        readers.retain(|reader| reader.id != id);
                        if readers.is_empty() {
                            self.readers.remove(&channel);
                        }
                    }
                }
            }
        }
        waiting
    }

    /// Carries out requests on a live connection. False: the connection was lost.
    async fn change(&mut self, batch: Vec<Request>, sink: &mut PubSubSink) -> bool {
        let touched: HashSet<Arc<str>> = batch
            .iter()
            .map(|request| match request {
                Request::Subscribe { channel, .. } | Request::Unsubscribe { channel, .. } => channel.clone(),
            })
            .collect();
        let had: HashSet<Arc<str>> = touched
            .iter()
            .filter(|channel| self.readers.contains_key(*channel))
            .cloned()
            .collect();
        let waiting = self.admit(batch);
        let has = |channel: &&Arc<str>| self.readers.contains_key(*channel);
        let added: Vec<&str> = touched
            .iter()
            .filter(|channel| has(channel) && !had.contains(*channel))
            .map(AsRef::as_ref)
            .collect();
        let removed: Vec<&str> = had
            .iter()
            .filter(|channel| !has(channel))
            .map(AsRef::as_ref)
            .collect();
        let change = async {
            if !added.is_empty() {
                sink.subscribe(&added).await?;
            }
            if !removed.is_empty() {
                sink.unsubscribe(&removed).await?;
            }
            Ok::<_, redis::RedisError>(())
        };
        let outcome = match tokio::time::timeout(CONFIRM_TIMEOUT, change).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Error::from(error)),
            Err(_) => Err(Error::Timeout),
        };
        let lives = outcome.is_ok();
        for confirmed in waiting {
            _ = confirmed.send(outcome.clone());
        }
        lives
    }
}
