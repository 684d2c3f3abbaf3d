//! The maps.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

use change_feed::ChangeId;
use everything_proto::feature::v1::LogLevel;

use crate::{Position, Session, SessionId, StreamName, link::Link, sync::lock, topics::OpenTopic};

#[derive(Default)]
pub(crate) struct Table {
    links: HashMap<u64, LinkEntry>,
    edges: HashMap<String, u64>,
    sessions: HashMap<SessionId, Route>,
}

struct LinkEntry {
    link: Arc<Link>,
    attachments: HashMap<u64, SessionId>,
    /// Sessions that it follows or is about to.
    followed: HashSet<SessionId>,
}

/// Where the messages of one session go.
#[derive(Default)]
pub(crate) struct Route {
    pub(crate) followers: HashMap<u64, Follower>,
    /// By link and the number on that link.
    pub(crate) attachments: BTreeMap<(u64, u64), Arc<Attachment>>,
    pub(crate) changes: Changes,
    /// Subscriptions that live as long as the route.
    holds: Vec<Arc<OpenTopic>>,
}

pub(crate) struct Follower {
    pub(crate) link: Arc<Link>,
    /// Requests whose answers it named.
    pub(crate) awaiting: HashSet<String>,
}

/// How far changes are looked at for a session that has its standalone stream attached here.
#[derive(Default)]
pub(crate) struct Changes {
    /// One look at what was missed at a time, so that the newest view of the session wins.
    pub(crate) gate: Arc<tokio::sync::Mutex<()>>,
    /// A live change came while what was missed is being looked at.
    pub(crate) missed: bool,
    /// `None`: live changes wait until what was missed has been looked at.
    pub(crate) live: Option<Live>,
}

#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) view: Arc<View>,
    /// Every change up to this one was looked at.
    pub(crate) applied: ChangeId,
}

/// What decides which changes concern a session.
pub(crate) struct View {
    pub(crate) key: String,
    pub(crate) log_level: LogLevel,
    pub(crate) subscriptions: Vec<(String, ChangeId)>,
}

/// A client's SSE stream at an edge.
pub(crate) struct Attachment {
    pub(crate) link: Arc<Link>,
    pub(crate) number: u64,
    pub(crate) session: SessionId,
    pub(crate) stream: StreamName,
    /// Its name among all attachments of all replicas.
    pub(crate) name: String,
    pub(crate) progress: Mutex<Progress>,
    pub(crate) topic: Mutex<Option<Arc<OpenTopic>>>,
    /// Nobody may have the standalone stream; the next work of the attachment asks for it.
    pub(crate) vacant: AtomicBool,
    ended: AtomicBool,
    work: AtomicU8,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Progress {
    /// The cursor that it began from.
    pub(crate) start: Position,
    /// Read on after this.
    pub(crate) reached: Position,
    /// The last entry that went into the link's queue.
    pub(crate) sent: Position,
    /// Where the last page of the standalone stream ended. `None`: another attachment has it. Its holder may have been
    /// replaced since, which the store tells it; but only the attachment's own work makes it the holder.
    pub(crate) taken: Option<Position>,
    /// The attach succeeded.
    pub(crate) attached: bool,
}

const IDLE: u8 = 0;
const WORKING: u8 = 1;
const WORKING_WOKEN: u8 = 2;

impl Attachment {
    /// Starts out as working: the attach itself is its first work.
    pub(crate) fn new(
        link: Arc<Link>,
        number: u64,
        session: SessionId,
        stream: StreamName,
        name: String,
    ) -> Self {
        Self {
            link,
            number,
            session,
            stream,
            name,
            progress: Mutex::default(),
            topic: Mutex::default(),
            vacant: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            work: AtomicU8::new(WORKING),
        }
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Another attachment has the standalone stream, as far as is known here.
    pub(crate) fn is_silent(&self) -> bool {
        let progress = lock(&self.progress);
        self.stream.is_standalone() && progress.attached && progress.taken.is_none()
    }

    /// True: the caller has to start the work. False: whoever works on it will look again.
    pub(crate) fn must_start(&self) -> bool {
        let woken = |work| Some(if work == IDLE { WORKING } else { WORKING_WOKEN });
        self.work.fetch_update(Ordering::AcqRel, Ordering::Acquire, woken) == Ok(IDLE)
    }

    /// True: nothing came meanwhile, and the work is over.
    pub(crate) fn may_rest(&self) -> bool {
        let rest = self
            .work
            .compare_exchange(WORKING, IDLE, Ordering::AcqRel, Ordering::Acquire);
        if rest.is_err() {
            self.work.store(WORKING, Ordering::Release);
        }
        rest.is_ok()
    }
}

impl View {
    pub(crate) fn of(session: &Session) -> Self {
        Self {
            key: session.id.key(),
            log_level: session.log_level,
            subscriptions: session
                .subscriptions
                .iter()
                .map(|(uri, since)| (uri.clone(), *since))
                .collect(),
        }
    }
}

impl Route {
    pub(crate) fn has_standalone(&self) -> bool {
        self.attachments
            .values()
            .any(|attachment| attachment.stream.is_standalone())
    }

    fn is_unused(&self) -> bool {
        self.followers.is_empty() && self.attachments.is_empty()
    }
}

impl Table {
    /// Returns the older link of the same edge, if there is one.
    pub(crate) fn add_link(&mut self, link: &Arc<Link>) -> Option<Arc<Link>> {
        let entry = LinkEntry {
            link: link.clone(),
            attachments: HashMap::new(),
            followed: HashSet::new(),
        };
        self.links.insert(link.id, entry);
        let older = self.edges.insert(link.edge.clone(), link.id)?;
        self.links.get(&older).map(|entry| entry.link.clone())
    }

    /// Returns its attachments, which have to be ended, and whether the edge is without a link now.
    pub(crate) fn remove_link(&mut self, link: &Link) -> (Vec<Arc<Attachment>>, bool) {
        let Some(entry) = self.links.remove(&link.id) else {
            return (Vec::new(), false);
        };
        for id in &entry.followed {
            self.unfollow_route(id, link.id);
        }
        let numbers: Vec<u64> = entry.attachments.keys().copied().collect();
        let attachments = numbers
            .into_iter()
            .filter_map(|number| self.detach_route(entry.attachments.get(&number)?, link.id, number))
            .collect();
        let is_last = self.edges.get(&link.edge) == Some(&link.id);
        if is_last {
            self.edges.remove(&link.edge);
        }
        (attachments, is_last)
    }

    /// Somewhere to run a call of another edge. A different one for each `turn`.
    pub(crate) fn link_for_call(&self, dead: &str, turn: u64) -> Option<Arc<Link>> {
        let usable: Vec<_> = self
            .links
            .values()
            .map(|entry| &entry.link)
            .filter(|link| link.edge != dead && !link.draining.load(Ordering::Relaxed))
            .collect();
        let turn = usize::try_from(turn).unwrap_or_default();
        usable
            .get(turn.checked_rem(usable.len())?)
            .map(|link| (*link).clone())
    }

    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        self.links.values().map(|entry| entry.link.clone()).collect()
    }

    /// False: the link is gone.
    pub(crate) fn attach(&mut self, attachment: &Arc<Attachment>) -> bool {
        let Some(entry) = self.links.get_mut(&attachment.link.id) else {
            return false;
        };
        entry
            .attachments
            .insert(attachment.number, attachment.session.clone());
        let route = self.sessions.entry(attachment.session.clone()).or_default();
        route
            .attachments
            .insert((attachment.link.id, attachment.number), attachment.clone());
        true
    }

    pub(crate) fn detach(&mut self, link: u64, number: u64) -> Option<Arc<Attachment>> {
        let id = self.links.get_mut(&link)?.attachments.remove(&number)?;
        self.detach_route(&id, link, number)
    }

    fn detach_route(&mut self, id: &SessionId, link: u64, number: u64) -> Option<Arc<Attachment>> {
        let route = self.sessions.get_mut(id)?;
        let attachment = route.attachments.remove(&(link, number));
        if !route.has_standalone() {
            route.changes.live = None;
        }
        if route.is_unused() {
            self.sessions.remove(id);
        }
        attachment
    }

    pub(crate) fn want(&mut self, link: &Link, id: &SessionId) {
        if let Some(entry) = self.links.get_mut(&link.id) {
            entry.followed.insert(id.clone());
        }
    }

    pub(crate) fn answered(&mut self, link: u64, id: &SessionId, request_id: &str) {
        if let Some(follower) = self
            .sessions
            .get_mut(id)
            .and_then(|route| route.followers.get_mut(&link))
        {
            follower.awaiting.remove(request_id);
        }
    }

    /// False: the link is gone, or does not want to follow any more.
    pub(crate) fn follow(
        &mut self,
        link: &Arc<Link>,
        id: &SessionId,
        awaiting: &[String],
        limit: usize,
    ) -> bool {
        if self
            .links
            .get(&link.id)
            .is_none_or(|entry| !entry.followed.contains(id))
        {
            return false;
        }
        let followers = &mut self.sessions.entry(id.clone()).or_default().followers;
        let follower = followers.entry(link.id).or_insert_with(|| Follower {
            link: link.clone(),
            awaiting: HashSet::new(),
        });
        if follower.awaiting.len() + awaiting.len() > limit {
            follower.awaiting.clear();
        }
        follower.awaiting.extend(awaiting.iter().take(limit).cloned());
        true
    }

    pub(crate) fn unfollow(&mut self, link: u64, id: &SessionId) {
        if let Some(entry) = self.links.get_mut(&link) {
            entry.followed.remove(id);
        }
        self.unfollow_route(id, link);
    }

    fn unfollow_route(&mut self, id: &SessionId, link: u64) {
        if let Some(route) = self.sessions.get_mut(id) {
            route.followers.remove(&link);
            if route.is_unused() {
                self.sessions.remove(id);
            }
        }
    }

    /// Keeps subscriptions as long as the session's route. Drops them at once if nobody is there any more.
    pub(crate) fn keep(&mut self, id: &SessionId, holds: Vec<Arc<OpenTopic>>) {
        if let Some(route) = self.sessions.get_mut(id) {
            for hold in holds {
                if !route.holds.iter().any(|held| Arc::ptr_eq(held, &hold)) {
                    route.holds.push(hold);
                }
            }
        }
    }

    pub(crate) fn remove_session(&mut self, id: &SessionId) -> Option<Route> {
        let route = self.sessions.remove(id)?;
        for link in route.followers.keys() {
            if let Some(entry) = self.links.get_mut(link) {
                entry.followed.remove(id);
            }
        }
        for (link, number) in route.attachments.keys() {
            if let Some(entry) = self.links.get_mut(link) {
                entry.attachments.remove(number);
            }
        }
        Some(route)
    }

    pub(crate) fn route(&mut self, id: &SessionId) -> Option<&mut Route> {
        self.sessions.get_mut(id)
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = (&SessionId, &Route)> {
        self.sessions.iter()
    }

    pub(crate) fn routes(&mut self) -> impl Iterator<Item = (&SessionId, &mut Route)> {
        self.sessions.iter_mut()
    }

    pub(crate) fn followers(&self, id: &SessionId) -> Vec<Arc<Link>> {
        let route = self.sessions.get(id);
        route
            .map(|route| route.followers.values().map(|it| it.link.clone()).collect())
            .unwrap_or_default()
    }

    pub(crate) fn attachments(&self, id: &SessionId, stream: &StreamName) -> Vec<Arc<Attachment>> {
        let route = self.sessions.get(id);
        let all = route.into_iter().flat_map(|route| route.attachments.values());
        all.filter(|attachment| attachment.stream == *stream)
            .cloned()
            .collect()
    }

    pub(crate) fn has_standalone(&self, id: &SessionId) -> bool {
        self.sessions.get(id).is_some_and(Route::has_standalone)
    }
}
