//! Where sessions live. [`MemoryStore`] and [`RedisStore`] keep the same contract, and one test suite holds both to it.

pub mod memory;
pub mod redis;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use change_feed::ChangeId;
use everything_proto::{events::v1::Change, session::v1::OpenCall};

pub use self::{memory::MemoryStore, redis::RedisStore};
use crate::{
    CursorFacts, Error, NewEntries, Page, Position, Session, SessionId, SessionUpdate, StreamName, UserId,
};

/// Bounds and times of a store.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Sliding time to live of everything that belongs to a session.
    pub ttl: Duration,
    /// How long an edge that runs a call may take to be linked for the first time. It may die before, and nobody would find
    /// its calls.
    pub first_lease: Duration,
    pub max_sessions_per_user: usize,
    pub max_subscriptions: usize,
    /// Calls of one session whose streams are open at the same time.
    pub max_open_calls: usize,
    /// Requests to the client that wait for its answer. The oldest gives way.
    pub max_awaited: usize,
    /// Entries that a session's log keeps. The oldest give way.
    pub log_max_entries: usize,
    /// The same in bytes of payload.
    pub log_max_bytes: usize,
    /// Age at which entries give way, with the next entry or renewal.
    pub log_max_age: Duration,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(300),
            first_lease: Duration::from_secs(10),
            max_sessions_per_user: 20_000,
            max_subscriptions: 1_000,
            max_open_calls: 256,
            max_awaited: 64,
            log_max_entries: 1_000,
            log_max_bytes: 8 * 1024 * 1024,
            log_max_age: Duration::from_secs(3_600),
        }
    }
}

/// Entries of one [`Page`] at the most.
pub const PAGE_ENTRIES: usize = 64;
/// A [`Page`] ends with the entry that passes this many bytes.
pub const PAGE_BYTES: usize = 256 * 1024;
/// For how long a cancellation is kept for edges that did not hear it.
pub const CANCEL_MEMORY: Duration = Duration::from_secs(30);
/// Cancellations that a session keeps. The oldest give way.
pub const MAX_CANCELS: usize = 32;
/// Edges that may take a call over, one after another. One whose edges all die may be the reason.
pub const MAX_TAKEOVERS: u32 = 3;
/// Who runs calls that were handed over, until an edge takes them.
pub const NOBODY: &str = "-handed-over-";
/// Bytes that an entry is taken to cost besides its payload.
pub const ENTRY_OVERHEAD_BYTES: usize = 64;

/// Renews a session on behalf of the service itself.
#[derive(Clone, Debug)]
pub struct Renewal {
    pub session: SessionId,
    /// The holder of the standalone stream shows that it is alive. Ignored where somebody else holds it.
    pub holder: Option<String>,
    /// Every change up to this one was looked at for this session.
    pub change: Option<ChangeId>,
}

/// Who receives the standalone stream from now on, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub cursor: Position,
    /// Who received it so far.
    pub superseded: Option<String>,
}

/// What becomes of a call of an edge that is gone.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It is not an open call of that edge.
    NotOpen,
    /// It ended with the entry at this place.
    Interrupted(Position),
    TakenOver(TakenOver),
    /// It waits for an edge that takes it.
    Waiting,
}

/// A call as another edge takes it over.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenOver {
    pub user: UserId,
    /// Its `edge_id` is the new edge's.
    pub call: OpenCall,
    /// The highest progress that was logged.
    pub progress: Option<f64>,
    /// What the client was asked and did not answer.
    pub asked: Vec<String>,
}

/// A request to the client and its answer.
pub type AnsweredRequest = (String, Bytes);

/// Everything about sessions that outlives a process.
///
/// Each method is atomic. A method that takes a user answers [`Error::SessionNotFound`] for an unknown, expired, deleted
/// and foreign session alike, and renews the session's time to live. Methods without a user are the service's own
/// business: they renew nothing, unless they say so. [`Error::Unavailable`] means that nothing can be said about whether
/// the change was made.
#[async_trait]
pub trait Store: Sessions + EventLog + StandaloneStream + Answers + Edges {
    /// Makes room, where the store does not do so by itself.
    async fn purge(&self);
}

/// Sessions themselves.
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// Refuses with [`Error::Limit`] when the user has too many live sessions.
    async fn create(&self, session: &Session) -> Result<(), Error>;

    async fn get(&self, id: &SessionId, user: &UserId) -> Result<Session, Error>;

    /// Reads without asking who wants to know, and without renewing.
    async fn peek(&self, id: &SessionId) -> Result<Session, Error>;

    /// Subscribing again keeps the older place; unsubscribing from what is not there is no error.
    async fn update(&self, id: &SessionId, user: &UserId, update: &SessionUpdate) -> Result<Session, Error>;

    /// Removes everything of the session at once.
    async fn delete(&self, id: &SessionId, user: &UserId) -> Result<(), Error>;

    /// Renews, and returns those that are gone.
    async fn renew(&self, renewals: &[Renewal]) -> Result<Vec<SessionId>, Error>;

    /// Returns those that are gone.
    async fn missing(&self, ids: &[SessionId]) -> Result<Vec<SessionId>, Error>;
}

/// What the clients of sessions must not miss.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Logs all entries or none. The first entry ever of a call opens it ([`Error::StreamNotOpen`] otherwise, after the
    /// final entry, and for an edge that does not run the call; [`Error::StreamOpen`] for a second one); the final entry
    /// forgets the call and what it asked. The standalone stream is always open.
    ///
    /// An append is logged once, however often it is tried and in whichever order its tries arrive: one whose number is
    /// not above the call's last one's answers with the places of what was logged, or none where the log no longer
    /// holds it. A call that has ended is never opened again; one that is open is not opened twice by a number.
    async fn append(
        &self,
        id: &SessionId,
        user: &UserId,
        entries: &NewEntries,
    ) -> Result<Vec<Position>, Error>;

    async fn inspect(
        &self,
        id: &SessionId,
        user: &UserId,
        stream: &StreamName,
        cursor: Position,
    ) -> Result<CursorFacts, Error>;

    /// What a call's stream holds behind a place.
    async fn read(&self, id: &SessionId, stream: &StreamName, after: Position) -> Result<Page, Error>;

    /// Logs changes on the standalone stream: each only if its id is above the session's last change. Then raises the
    /// last change to `up_to`. Returns how many were logged.
    async fn append_changes(
        &self,
        id: &SessionId,
        changes: &[(ChangeId, Change)],
        up_to: ChangeId,
    ) -> Result<usize, Error>;
}

/// Who receives the standalone stream of a session: one client at a time.
#[async_trait]
pub trait StandaloneStream: Send + Sync + 'static {
    /// Makes `holder` the only one that [`StandaloneStream::take`] serves, and moves the cursor of the standalone stream if told to.
    async fn hold(
        &self,
        id: &SessionId,
        user: &UserId,
        holder: &str,
        cursor: Option<Position>,
    ) -> Result<Held, Error>;

    /// Takes what the standalone stream holds behind its cursor and moves the cursor: each entry is taken once, until
    /// [`StandaloneStream::hold`] or [`StandaloneStream::release`] set the cursor back. `None`: somebody else holds the stream.
    ///
    /// `after` is where the holder's last page ended, if it knows: what a try took whose answer was lost comes again.
    async fn take(
        &self,
        id: &SessionId,
        holder: &str,
        after: Option<Position>,
    ) -> Result<Option<Page>, Error>;

    /// Gives the standalone stream up. `delivered` is the last entry that really went out. False: it was held by
    /// somebody else, and nothing changed.
    async fn release(&self, id: &SessionId, holder: &str, delivered: Position) -> Result<bool, Error>;

    /// Takes hold of the standalone stream if nobody holds it, or if its holder showed no life for `stale`. Returns where
    /// it goes on: behind the cursor, but never before `sent`, the last entry that went to the holder's own client. It may
    /// be the holder already, by a claim whose answer was lost; not while it takes.
    async fn claim(
        &self,
        id: &SessionId,
        holder: &str,
        stale: Duration,
        sent: Position,
    ) -> Result<Option<Position>, Error>;
}

/// What clients send in: answers to requests of the server, and cancellations.
#[async_trait]
pub trait Answers: Send + Sync + 'static {
    /// Keeps the client's response for whoever waits for it. False: nobody asked that, or it was answered already.
    async fn answer(
        &self,
        id: &SessionId,
        user: &UserId,
        request_id: &str,
        response: &Bytes,
    ) -> Result<bool, Error>;

    /// Answers that `edge` waits for: to the requests of calls that it runs, and to those it names. Each is returned
    /// once; with `again`, also if they were before: what was returned may not have arrived.
    async fn take_answers(
        &self,
        id: &SessionId,
        edge: &str,
        named: &[String],
        again: bool,
    ) -> Result<Vec<AnsweredRequest>, Error>;

    /// Remembers for a while that the client gave up a request.
    async fn cancel(
        &self,
        id: &SessionId,
        user: &UserId,
        request_id_json: &Bytes,
        reason: &str,
    ) -> Result<(), Error>;

    /// Cancellations of the last [`CANCEL_MEMORY`].
    async fn cancels(&self, id: &SessionId) -> Result<Vec<(Bytes, String)>, Error>;
}

/// Leases of edges, and the calls that they run.
#[async_trait]
pub trait Edges: Send + Sync + 'static {
    /// The edge is alive for as long as `lease`.
    async fn renew_edge(&self, edge: &str, lease: Duration) -> Result<(), Error>;

    /// The edge may be dead: its lease ends now.
    async fn lose_edge(&self, edge: &str) -> Result<(), Error>;

    /// Edges whose lease has ended.
    async fn lost_edges(&self) -> Result<Vec<String>, Error>;

    /// The open calls of an edge. May name calls that have ended.
    async fn calls_of(&self, edge: &str) -> Result<Vec<(SessionId, StreamName)>, Error>;

    /// Whether the lease of another edge than this one stands.
    async fn has_other_edge(&self, edge: &str) -> Result<bool, Error>;

    /// Decides about a call of an edge that is gone: one that cannot be run again, or was too often, ends with
    /// [`crate::Payload::Interrupted`]; any other goes to the edge `to`, or waits where there is none.
    async fn bury(
        &self,
        id: &SessionId,
        call: &StreamName,
        edge: &str,
        to: Option<&str>,
    ) -> Result<Fate, Error>;

    /// The call, if this edge took it over and runs it.
    async fn taken_over(
        &self,
        id: &SessionId,
        call: &StreamName,
        edge: &str,
    ) -> Result<Option<TakenOver>, Error>;

    /// Leaves a repeatable call of this edge to [`NOBODY`]. False: it is none.
    async fn hand_over(
        &self,
        id: &SessionId,
        user: &UserId,
        call: &StreamName,
        edge: &str,
    ) -> Result<bool, Error>;

    /// Forgets an edge whose lease has ended and that has no calls.
    async fn forget_edge(&self, edge: &str) -> Result<(), Error>;
}
