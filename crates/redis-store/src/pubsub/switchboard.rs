//! Who reads which channel, and over which line.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    BATCH, Delivery, Lines, Reader, Request,
    line::{Change, Epoch, Event, Line, Order, Verbs},
};
use crate::{
    Error,
    cluster::{Cluster, Slots},
    link::{Locator, Peer},
    observe::Meter,
    slot,
};

/// Messages of all lines that wait to be handed to their readers. Beyond, a line starts over, and its readers are told.
const EVENT_QUEUE: usize = 16 * 1024;

/// The actor that owns the table of readers.
pub(super) struct Switchboard {
    lines: Lines,
    slots: Option<watch::Receiver<Arc<Slots>>>,
    meter: Arc<Meter>,
    requests: mpsc::Receiver<Request>,
    events: mpsc::Receiver<Event>,
    tell: mpsc::Sender<Event>,
    channels: HashMap<Arc<str>, Channel>,
    /// By number. A line ends when its handle is dropped.
    open: HashMap<u64, Handle>,
    next_line: u64,
}

#[derive(Default)]
struct Channel {
    readers: Vec<Reader>,
    waiting: Vec<oneshot::Sender<Result<(), Error>>>,
    line: Option<u64>,
    confirmed: bool,
    /// Was confirmed once, and has been lost since.
    gap: bool,
}

struct Handle {
    /// Whom a line of a cluster leads to.
    peer: Option<Peer>,
    /// Of the connection that is up.
    epoch: Option<Epoch>,
    orders: mpsc::UnboundedSender<Order>,
}

impl Switchboard {
    pub(super) fn new(lines: Lines, meter: Arc<Meter>, requests: mpsc::Receiver<Request>) -> Self {
        let (tell, events) = mpsc::channel(EVENT_QUEUE);
        let slots = match &lines {
            Lines::One(_) => None,
            Lines::Cluster(cluster) => Some(cluster.slots()),
        };
        Self {
            lines,
            slots,
            meter,
            requests,
            events,
            tell,
            channels: HashMap::new(),
            open: HashMap::new(),
            next_line: 0,
        }
    }

    pub(super) async fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                count = self.requests.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    self.admit(std::mem::take(&mut batch));
                }
                Some(event) = self.events.recv() => self.take(event),
                () = moved(&mut self.slots) => self.place(),
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Message { channel, payload } => self.dispatch(&channel, &payload),
            Event::Up { line, epoch } => {
                let Some(handle) = self.open.get_mut(&line) else {
                    return;
                };
                handle.epoch = Some(epoch);
                let channels = self.channels_of(line);
                for batch in channels.chunks(BATCH) {
                    self.order(line, Change::Subscribe(batch.to_vec()));
                }
            }
            Event::Subscribed {
                line,
                epoch,
                channels,
            } => {
                if self
                    .open
                    .get(&line)
                    .is_some_and(|handle| handle.epoch == Some(epoch))
                {
                    channels.iter().for_each(|channel| self.confirm(line, channel));
                }
            }
            Event::Down { line, error } => self.down(line, &error),
        }
    }

    fn dispatch(&self, channel: &str, payload: &Bytes) {
        if let Some((name, channel)) = self.channels.get_key_value(channel) {
            for reader in &channel.readers {
                reader.deliver(name, Delivery::Message(payload.clone()));
            }
        }
    }

    fn confirm(&mut self, line: u64, name: &Arc<str>) {
        let Some(channel) = self
            .channels
            .get_mut(name)
            .filter(|channel| channel.line == Some(line))
        else {
            return;
        };
        channel.confirmed = true;
        if std::mem::take(&mut channel.gap) {
            for reader in &channel.readers {
                reader.deliver(name, Delivery::Resubscribed);
            }
        }
        for waiting in channel.waiting.drain(..) {
            _ = waiting.send(Ok(()));
        }
    }

    fn down(&mut self, line: u64, error: &Error) {
        let Some(handle) = self.open.get_mut(&line) else {
            return;
        };
        if handle.epoch.take().is_some() {
            tracing::warn!(%error, "a pub/sub connection to redis was lost");
        } else {
            tracing::debug!(%error, "no pub/sub connection to redis");
        }
        for channel in self
            .channels
            .values_mut()
            .filter(|channel| channel.line == Some(line))
        {
            channel.gap |= std::mem::take(&mut channel.confirmed);
            for waiting in channel.waiting.drain(..) {
                _ = waiting.send(Err(error.clone()));
            }
        }
        if let Lines::Cluster(cluster) = &self.lines {
            look_again(cluster);
        }
    }

    /// Takes requests into the table, and passes on what is new.
    fn admit(&mut self, batch: Vec<Request>) {
        let mut added = Vec::new();
        let mut removed: HashMap<u64, Vec<Arc<str>>> = HashMap::new();
        for request in batch {
            match request {
                Request::Subscribe {
                    channel: name,
                    reader,
                    confirmed,
                } => {
                    let channel = self.channels.entry(name.clone()).or_default();
                    // Asked again after a failure, it is still one reader.
                    channel.readers.retain(|known| known.id != reader.id);
                    channel.readers.push(reader);
                    if channel.confirmed {
                        _ = confirmed.send(Ok(()));
                    } else {
                        // Whoever gave up waiting may ask again, for as long as Redis is away.
                        channel.waiting.retain(|waiting| !waiting.is_closed());
                        channel.waiting.push(confirmed);
                        if channel.line.is_none() {
                            added.push(name);
                        }
                    }
                }
                Request::Unsubscribe { channel: name, id } => {
                    let Some(channel) = self.channels.get_mut(&name) else {
                        continue;
                    };
                    channel.readers.retain(|reader| reader.id != id);
                    if channel.readers.is_empty() {
                        let channel = self.channels.remove(&name);
                        if let Some(line) = channel.and_then(|channel| channel.line) {
                            removed.entry(line).or_default().push(name);
                        }
                    }
                }
            }
        }
        for (line, names) in removed {
            self.order(line, Change::Unsubscribe(names));
        }
        self.assign(added);
    }

    /// Gives each channel the line that it belongs to, and subscribes over those that are up.
    fn assign(&mut self, names: Vec<Arc<str>>) {
        let mut orders: HashMap<u64, Vec<Arc<str>>> = HashMap::new();
        for name in names {
            let Some(line) = self.line_for(&name) else {
                continue;
            };
            // Gone again within its batch, or named twice.
            if let Some(channel) = self
                .channels
                .get_mut(&name)
                .filter(|channel| channel.line.is_none())
            {
                channel.line = Some(line);
                orders.entry(line).or_default().push(name);
            }
        }
        for (line, names) in orders {
            self.order(line, Change::Subscribe(names));
        }
    }

    /// The slots of the cluster have moved, and channels with them.
    fn place(&mut self) {
        let Lines::Cluster(cluster) = &self.lines else {
            return;
        };
        let slots = cluster.slots().borrow().clone();
        let mut left: HashMap<u64, Vec<Arc<str>>> = HashMap::new();
        let mut homeless = Vec::new();
        for (name, channel) in &mut self.channels {
            let owner = slots.owner(slot::of(name.as_bytes()));
            let peer = channel.line.and_then(|line| self.open.get(&line)?.peer.as_ref());
            if peer.is_some() && peer == owner {
                continue;
            }
            if let Some(line) = channel.line.take() {
                left.entry(line).or_default().push(name.clone());
            }
            channel.gap |= std::mem::take(&mut channel.confirmed);
            homeless.push(name.clone());
        }
        for (line, names) in left {
            self.order(line, Change::Unsubscribe(names));
        }
        let masters = slots.masters();
        self.open
            .retain(|_, handle| handle.peer.as_ref().is_some_and(|peer| masters.contains(peer)));
        self.assign(homeless);
    }

    fn order(&self, line: u64, change: Change) {
        // A line that is down gets everything when it comes up.
        if let Some(handle) = self.open.get(&line)
            && let Some(epoch) = handle.epoch
        {
            _ = handle.orders.send(Order { epoch, change });
        }
    }

    /// `None`: the cluster has not told yet who owns the slot; it is placed when it has.
    fn line_for(&mut self, channel: &str) -> Option<u64> {
        let (locator, peer, verbs) = match &self.lines {
            Lines::One(locator) => (
                locator.clone(),
                None,
                Verbs {
                    subscribe: "SUBSCRIBE",
                    unsubscribe: "UNSUBSCRIBE",
                },
            ),
            Lines::Cluster(cluster) => {
                let owner = cluster
                    .slots()
                    .borrow()
                    .owner(slot::of(channel.as_bytes()))
                    .cloned();
                let Some(owner) = owner else {
                    look_again(cluster);
                    return None;
                };
                let locator = Locator::Fixed(cluster.reach(&owner).into());
                let verbs = Verbs {
                    subscribe: "SSUBSCRIBE",
                    unsubscribe: "SUNSUBSCRIBE",
                };
                (locator, Some(owner), verbs)
            }
        };
        if let Some((number, _)) = self.open.iter().find(|(_, handle)| handle.peer == peer) {
            return Some(*number);
        }
        let number = self.next_line;
        self.next_line += 1;
        let (orders, receiver) = mpsc::unbounded_channel();
        let line = Line {
            number,
            locator,
            verbs,
            meter: self.meter.clone(),
            orders: receiver,
            events: self.tell.clone(),
        };
        tokio::spawn(line.run());
        let handle = Handle {
            peer,
            epoch: None,
            orders,
        };
        self.open.insert(number, handle);
        Some(number)
    }

    fn channels_of(&self, line: u64) -> Vec<Arc<str>> {
        let of_line = self
            .channels
            .iter()
            .filter(|(_, channel)| channel.line == Some(line));
        of_line
            .map(|(name, _)| name.clone())
            .collect::<HashSet<_>>()
            .into_iter()
            .collect()
    }
}

/// Finds out in the background who owns what.
fn look_again(cluster: &Cluster) {
    let cluster = cluster.clone();
    tokio::spawn(async move {
        if let Err(error) = cluster.refresh().await {
            tracing::debug!(%error, "the redis cluster does not tell who owns which slots");
        }
    });
}

async fn moved(slots: &mut Option<watch::Receiver<Arc<Slots>>>) {
    let changed = match slots {
        Some(slots) => slots.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending::<()>().await;
    }
}
