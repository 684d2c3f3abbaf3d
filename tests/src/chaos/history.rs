//! What clients saw, in the order in which they saw it.
//!
//! Records are small: a run of an hour leaves millions of them. Event ids are opaque to a client and kept as digests.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The stream that is there as long as its session: the standalone GET, or the one stream of the 2024-11-05 transport.
/// A call's own stream has the call's number; calls count from 1.
pub const STANDALONE: u32 = 0;

/// An event without an id, on a stream that cannot be resumed.
pub const NO_ID: u64 = 0;

/// One thing that one client did or saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Since the run began.
    pub at: Duration,
    /// The client. It has at most one session at a time; a new one is a new number.
    pub session: u32,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The server acknowledged a session.
    Began { wire: Wire, user: u16 },
    /// The client has asked for the end of its session, or never returns to it.
    Leaving,
    /// The server said that it does not know the session.
    NotFound,
    /// The server did not take the client's valid token.
    Unauthorized,
    /// The client sent a request.
    Sent { call: u32, expects: Expects },
    /// The client holds an event id of the call's stream, or a `202` where answers come on the session's stream: from
    /// here on the call's end must reach it.
    Acknowledged { call: u32 },
    /// The connection broke before the call was acknowledged; the client does not know whether it ran.
    Unknown { call: u32 },
    /// The client went away for good in the middle of the call.
    Vanished { call: u32 },
    /// The answer to the call. One that a resumption brings again is recorded again.
    Outcome { call: u32, outcome: Outcome },
    /// Waited for longer than its deadline, with the call not answered.
    Hung { call: u32 },
    /// The client came back to a stream with the id of the last event that it saw.
    Resumed { stream: u32, after: u64 },
    /// A stream could not be resumed: the server says that there is nothing behind the client's cursor.
    Gone { stream: u32, status: u16 },
    /// An event on a stream.
    Event { stream: u32, id: u64, content: Content },
    /// The same stream read again from its beginning, after it was over.
    Replayed { stream: u32, id: u64, content: Content },
    /// The replay is complete. It began after this event.
    ReplayOver { stream: u32, after: u64 },
    /// A session of `owner` was asked for with somebody else's token, and was not refused.
    ForeignServed { owner: u16, status: u16 },
    /// A change that happened when all was quiet: every open stream must hear of it from here on.
    Trumpet,
    /// An answer that no client should get from this server: status of an answer, or what else was wrong.
    Strange { call: u32, status: u16 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wire {
    Legacy,
    Streamable(&'static str),
    Stateless,
}

/// What a call is to bring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expects {
    /// Numbered events in each round.
    pub events: u32,
    /// Rounds; all but the last end in a question.
    pub rounds: u8,
    /// The tool says that running it again does no harm.
    pub repeatable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A result, and which run of the tool it came from, where it says so.
    Result { run: Option<u64> },
    /// A JSON-RPC error.
    Error { code: i64 },
    /// A clear refusal before anything was done: 429 or 503.
    Refused { status: u16 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// An id and no message.
    Priming,
    /// The n-th event of one run of one round of a call.
    Numbered {
        call: u32,
        round: u8,
        run: u64,
        n: u32,
    },
    Progress {
        call: u32,
        value: u64,
    },
    /// The server asks the client something.
    Question {
        id: u64,
    },
    Answer {
        call: u32,
    },
    /// A change that concerns everybody.
    Change,
    /// It belongs to another session.
    Foreign {
        session: u32,
    },
    Other,
}

/// One run of a tool, as the tool noted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Execution {
    pub session: u32,
    pub call: u32,
    pub round: u8,
    pub run: u64,
}

/// Where clients write. Clones write to the same history.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

struct Shared {
    began: Instant,
    records: Mutex<Vec<Record>>,
    events: AtomicU64,
}

impl Recorder {
    #[expect(clippy::new_without_default, reason = "a history begins at a moment")]
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            began: Instant::now(),
            records: Mutex::default(),
            events: AtomicU64::new(0),
        }))
    }

    pub fn write(&self, session: u32, what: What) {
        if matches!(what, What::Event { .. }) {
            self.0.events.fetch_add(1, Ordering::Relaxed);
        }
        let mut records = self.records();
        let at = self.0.began.elapsed();
        records.push(Record { at, session, what });
    }

    /// Events recorded so far.
    pub fn events(&self) -> u64 {
        self.0.events.load(Ordering::Relaxed)
    }

    pub fn elapsed(&self) -> Duration {
        self.0.began.elapsed()
    }

    /// Everything so far.
    pub fn take(&self) -> Vec<Record> {
        std::mem::take(&mut *self.records())
    }

    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The digest under which an id is kept. The same in every process and run.
pub fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
