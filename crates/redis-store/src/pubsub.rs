//! Pub/sub for the whole process: one connection, or on a cluster one per master, whatever the number of channels.
//!
//! Pub/sub loses what is published while a connection is down. So every subscription is confirmed before it counts, is
//! renewed after a loss, and its reader is told of each gap ([`Delivery::Resubscribed`]) so that it reads the log again.

mod line;
mod switchboard;

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use self::switchboard::Switchboard;
use crate::{Error, cluster::Cluster, link::Locator, observe::Meter};

/// Subscription requests that may wait to be taken up.
const REQUEST_QUEUE: usize = 4096;
/// Requests taken up, and channels subscribed to, at a time.
const BATCH: usize = 128;
/// How long Redis may take to confirm a subscription.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(3);

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

/// Where channels are.
pub(crate) enum Lines {
    /// All at one server, or at the master that sentinels name.
    One(Locator),
    /// Each at the shard that owns its slot.
    Cluster(Cluster),
}

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
    pub(crate) fn start(lines: Lines, meter: Arc<Meter>) -> Self {
        let (requests, receiver) = mpsc::channel(REQUEST_QUEUE);
        tokio::spawn(Switchboard::new(lines, meter, receiver).run());
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
