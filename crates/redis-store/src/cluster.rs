//! A cluster: one link per master, and who owns which slot.
//!
//! A command is sent again only where the answer says that it was not carried out. After a lost connection nobody knows,
//! so the caller is told: a second append would be a second event.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{join_all, select_ok},
};
use rand::seq::IteratorRandom;
use redis::{Cmd, ConnectionInfo, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::{sync::watch, time::Instant};

use crate::{
    link::{Link, Live, Locator, Peer},
    observe::Meter,
    slot,
};

mod slots;

pub(crate) use slots::Slots;

/// Answers that send a command elsewhere, or ask to come again, are followed for this long.
const PATIENCE: Duration = Duration::from_secs(2);
/// Before coming again.
const PAUSE: Duration = Duration::from_millis(50);
/// Two questions about who owns what within this are one.
const REFRESH_PAUSE: Duration = Duration::from_millis(100);

/// Cheap to clone; a clone is the same cluster.
#[derive(Clone)]
pub(crate) struct Cluster(Arc<Inner>);

struct Inner {
    seeds: Vec<ConnectionInfo>,
    meter: Arc<Meter>,
    links: Mutex<HashMap<Peer, Link>>,
    slots: watch::Sender<Arc<Slots>>,
    refreshed: tokio::sync::Mutex<Option<Instant>>,
}

/// What is sent to one node.
pub(crate) enum Call<'a> {
    One(&'a Cmd),
    Many {
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    },
}

/// What an answer asks for.
enum Next {
    Done,
    /// The slot is elsewhere now.
    Moved,
    /// This key is elsewhere already.
    Ask(Peer),
    Again,
}

impl Call<'_> {
    fn slot(&self) -> Option<u16> {
        match self {
            Self::One(command) => slot::of_command(command),
            Self::Many { pipeline, .. } => pipeline.cmd_iter().find_map(slot::of_command),
        }
    }

    pub(crate) async fn send(&self, link: &Link, live: &Live) -> RedisResult<Vec<Value>> {
        match self {
            Self::One(command) => link.send_one(live, command).await.map(|value| vec![value]),
            Self::Many {
                pipeline,
                offset,
                count,
            } => link.send(live, pipeline, *offset, *count).await,
        }
    }

    /// Sends it to a node that does not own the slot yet.
    async fn ask(&self, link: &Link, live: &Live) -> RedisResult<Vec<Value>> {
        let mut asking = redis::pipe();
        asking.cmd("ASKING");
        let commands: Vec<&Cmd> = match self {
            Self::One(command) => vec![command],
            Self::Many { pipeline, .. } => pipeline.cmd_iter().collect(),
        };
        for (number, command) in commands.iter().enumerate() {
            if number > 0 {
                asking.cmd("ASKING");
            }
            asking.add_command((*command).clone());
        }
        let replies = link.send(live, &asking, 0, commands.len() * 2).await?;
        Ok(replies.into_iter().skip(1).step_by(2).collect())
    }

    fn is_transaction(&self) -> bool {
        matches!(self, Self::Many { pipeline, .. } if pipeline.is_transaction())
    }
}

impl Cluster {
    /// Connects when it is first asked to.
    pub(crate) fn new(seeds: Vec<ConnectionInfo>, meter: Arc<Meter>) -> Self {
        Self(Arc::new(Inner {
            seeds,
            meter,
            links: Mutex::default(),
            slots: watch::Sender::default(),
            refreshed: tokio::sync::Mutex::default(),
        }))
    }

    /// Who owns what, as it was last heard. Empty before the first question.
    pub(crate) fn slots(&self) -> watch::Receiver<Arc<Slots>> {
        self.0.slots.subscribe()
    }

    pub(crate) fn reach(&self, peer: &Peer) -> ConnectionInfo {
        peer.reached_like(&self.0.seeds[0])
    }

    /// Sends a command where its keys are, and tells which node answered.
    pub(crate) async fn send(&self, call: &Call<'_>) -> (Option<Peer>, RedisResult<Vec<Value>>) {
        let slot = call.slot();
        let deadline = Instant::now() + PATIENCE;
        let mut asked: Option<Peer> = None;
        loop {
            let peer = match asked.clone() {
                Some(peer) => peer,
                None => match self.pick(slot).await {
                    Ok(peer) => peer,
                    Err(error) => return (None, Err(error)),
                },
            };
            let link = self.link(&peer);
            let live = match link.live().await {
                Ok(live) => live,
                // Nothing was sent: another may have taken over.
                Err(error) => {
                    let known = self.refresh().await;
                    if known.is_err() || Instant::now() >= deadline || !self.moved(slot, &peer) {
                        return (Some(peer), Err(error));
                    }
                    asked = None;
                    continue;
                }
            };
            let outcome = match asked.take() {
                Some(_) => call.ask(&link, &live).await,
                None => call.send(&link, &live).await,
            };
            let next = next(&outcome);
            if matches!(next, Next::Done) || Instant::now() >= deadline {
                return (Some(peer), outcome);
            }
            match next {
                Next::Moved => {
                    if self.refresh().await.is_err() {
                        return (Some(peer), outcome);
                    }
                    if !self.moved(slot, &peer) {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                Next::Ask(peer) if !call.is_transaction() => asked = Some(peer),
                Next::Ask(_) | Next::Again | Next::Done => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// A link to every master.
    pub(crate) async fn masters(&self) -> RedisResult<Vec<Link>> {
        if self.0.slots.borrow().is_empty() {
            self.refresh().await?;
        }
        let masters = self.0.slots.borrow().masters();
        Ok(masters.iter().map(|master| self.link(master)).collect())
    }

    /// Asks again who owns what, unless somebody just did.
    pub(crate) async fn refresh(&self) -> RedisResult<()> {
        let mut refreshed = self.0.refreshed.lock().await;
        if refreshed.is_some_and(|at| at.elapsed() < REFRESH_PAUSE) {
            return Ok(());
        }
        // All at once: one that hangs must not hold up the others' answer.
        let questions = self
            .informants()
            .into_iter()
            .map(|link| async move { ask(&link).await }.boxed());
        let (slots, _) = select_ok(questions).await?;
        self.learn(slots);
        *refreshed = Some(Instant::now());
        Ok(())
    }

    /// Those who can tell: masters that are known, and whom the address names.
    fn informants(&self) -> Vec<Link> {
        let mut links: Vec<Link> = self.links().values().cloned().collect();
        for seed in &self.0.seeds {
            if !self.links().contains_key(&Peer::of(seed)) {
                links.push(Link::new(
                    Locator::Fixed(seed.clone().into()),
                    self.0.meter.clone(),
                ));
            }
        }
        links
    }

    fn learn(&self, slots: Slots) {
        let masters = slots.masters();
        self.links().retain(|peer, _| masters.contains(peer));
        self.0.slots.send_if_modified(|known| {
            let changed = **known != slots;
            if changed {
                if !known.is_empty() {
                    tracing::info!(
                        masters = masters.len(),
                        "the slots of the redis cluster have moved"
                    );
                }
                *known = Arc::new(slots);
            }
            changed
        });
    }

    /// Who owns the slot; without one, anybody.
    async fn pick(&self, slot: Option<u16>) -> RedisResult<Peer> {
        if self.0.slots.borrow().is_empty() {
            self.refresh().await?;
        }
        let slots = self.0.slots.borrow().clone();
        let owner = match slot {
            Some(slot) => slots.owner(slot).cloned(),
            None => slots.masters().into_iter().choose(&mut rand::rng()),
        };
        owner.ok_or_else(|| cluster_down("nobody owns this slot"))
    }

    fn link(&self, peer: &Peer) -> Link {
        let create = || Link::new(Locator::Fixed(self.reach(peer).into()), self.0.meter.clone());
        self.links().entry(peer.clone()).or_insert_with(create).clone()
    }

    /// Whether the slot is elsewhere than where it was looked for.
    fn moved(&self, slot: Option<u16>, from: &Peer) -> bool {
        slot.is_none_or(|slot| self.0.slots.borrow().owner(slot) != Some(from))
    }

    fn links(&self) -> std::sync::MutexGuard<'_, HashMap<Peer, Link>> {
        self.0.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether all slots have an owner, and each owner passes `check`.
pub(crate) async fn all_masters<E, F>(cluster: &Cluster, check: impl Fn(Link) -> F) -> Result<(), E>
where
    E: From<RedisError>,
    F: Future<Output = Result<(), E>>,
{
    cluster.refresh().await?;
    if !cluster.0.slots.borrow().is_complete() {
        return Err(cluster_down("not all slots have an owner").into());
    }
    let checks = cluster.masters().await?.into_iter().map(check);
    join_all(checks).await.into_iter().collect()
}

async fn ask(link: &Link) -> RedisResult<Slots> {
    let live = link.live().await?;
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    let reply = link.send_one(&live, &command).await?.extract_error()?;
    Slots::read(reply, &live.peer)
}

fn next(outcome: &RedisResult<Vec<Value>>) -> Next {
    let (kind, redirect) = match outcome {
        Ok(values) => {
            let Some(Value::ServerError(error)) = values.first() else {
                return Next::Done;
            };
            (error.kind(), error.details().and_then(redirection))
        }
        Err(error) => {
            // A transaction that was refused as a whole names the commands that were.
            let refused = error.clone().into_server_errors();
            let moved = refused.iter().flat_map(|errors| errors.iter());
            let kinds = moved.filter_map(|(_, error)| error.kind());
            match (error.kind(), kinds.into_iter().find(|kind| is_redirection(*kind))) {
                (_, Some(kind)) => (Some(kind), None),
                (ErrorKind::Server(kind), None) => (Some(kind), error.detail().and_then(redirection)),
                _ => return Next::Done,
            }
        }
    };
    match kind {
        // A master that was replaced becomes a replica: its slots are elsewhere.
        Some(ServerErrorKind::Moved | ServerErrorKind::ReadOnly) => Next::Moved,
        Some(ServerErrorKind::Ask) => redirect.map_or(Next::Again, Next::Ask),
        Some(ServerErrorKind::TryAgain) => Next::Again,
        Some(ServerErrorKind::ClusterDown) => Next::Moved,
        _ => Next::Done,
    }
}

fn is_redirection(kind: ServerErrorKind) -> bool {
    matches!(
        kind,
        ServerErrorKind::Moved
            | ServerErrorKind::Ask
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
    )
}

/// `<slot> <host>:<port>`
fn redirection(detail: &str) -> Option<Peer> {
    let (host, port) = detail.split_whitespace().nth(1)?.rsplit_once(':')?;
    Some(Peer::new(host, port.parse().ok()?))
}

fn cluster_down(why: &'static str) -> RedisError {
    (ErrorKind::Server(ServerErrorKind::ClusterDown), why).into()
}
