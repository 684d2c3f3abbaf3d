//! Proves from a history that the server kept its promises, or says where it did not.
//!
//! Knows nothing of faults: what it finds was promised whatever happens. docs/chaos.md words the promises.

mod calls;
mod streams;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use self::{calls::Calls, streams::Streams};
use super::history::{Execution, Record, What, Wire};

/// What was promised.
#[derive(Clone, Copy, Debug)]
pub struct Promises {
    /// A session that was used within this time is there.
    pub session_ttl: Duration,
    /// An acknowledged call is answered within this time.
    pub deadline: Duration,
}

/// A promise that was broken, and to whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    pub session: u32,
    pub at: Duration,
    pub broken: Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Broken {
    /// Events of a run are missing between others, or before a result.
    Lost {
        call: u32,
        round: u8,
        run: u64,
        first: u32,
        last: u32,
    },
    /// A numbered event, or an event id, came twice.
    Duplicated {
        stream: u32,
        call: u32,
        n: u32,
    },
    /// A numbered event came after a later one.
    Reordered {
        call: u32,
        round: u8,
        run: u64,
        n: u32,
    },
    /// An event of a call came after the call's end.
    AfterTheEnd {
        call: u32,
    },
    /// Progress did not increase.
    ProgressFell {
        call: u32,
        value: u64,
    },
    TwoOutcomes {
        call: u32,
    },
    /// Acknowledged, and never answered.
    NoOutcome {
        call: u32,
    },
    /// Neither answered nor given up when the history ends.
    Open {
        call: u32,
    },
    Hung {
        call: u32,
    },
    /// A tool that must not run twice did.
    RanTwice {
        call: u32,
        round: u8,
    },
    /// A result that names a run which never was, or is not the tool's.
    MadeUp {
        call: u32,
    },
    /// A client saw what belongs to another session.
    ForeignSight {
        of: u32,
    },
    /// A foreigner was served.
    ForeignServed {
        owner: u16,
        status: u16,
    },
    SessionLost {
        unused: Duration,
    },
    Unauthorized,
    Strange {
        call: u32,
        status: u16,
    },
    /// A stream that was read again from its beginning is not what it was.
    ReplayDiffers {
        stream: u32,
    },
    /// An open stream did not hear of a change.
    Deaf,
}

/// What a history amounts to.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub violations: Vec<Violation>,
    pub counts: Counts,
}

#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub records: u64,
    pub sessions: BTreeMap<String, u64>,
    pub events: u64,
    pub numbered: u64,
    pub calls: u64,
    pub acknowledged: u64,
    pub results: u64,
    /// JSON-RPC errors, which are a call's one clear end as well.
    pub errors: u64,
    /// Of these, calls that could have been run again.
    pub errors_of_repeatable: u64,
    pub refused: u64,
    pub unknown: u64,
    pub vanished: u64,
    pub resumed: u64,
    pub replayed: u64,
    pub runs: u64,
    /// Calls that ran more than once, of those that may.
    pub run_again: u64,
    /// From sending to the outcome, of acknowledged calls: sorted.
    pub latencies: Vec<Duration>,
}

/// Judges a whole history, in the order in which it was written.
pub fn check(records: &[Record], executions: &[Execution], promises: &Promises) -> Verdict {
    let mut checker = Checker::default();
    for record in records {
        checker.take(record, promises);
    }
    checker.end(executions)
}

#[derive(Default)]
struct Checker {
    verdict: Verdict,
    sessions: HashMap<u32, Session>,
    now: Duration,
}

#[derive(Default)]
struct Session {
    leaving: bool,
    /// When the server last took something of the session.
    used: Duration,
    calls: Calls,
    streams: Streams,
}

impl Checker {
    fn take(&mut self, record: &Record, promises: &Promises) {
        let Record {
            at,
            session: number,
            what,
        } = record;
        self.now = *at;
        self.verdict.counts.records += 1;
        let counts = &mut self.verdict.counts;
        let session = self.sessions.entry(*number).or_default();
        let mut broken = Vec::new();
        match what {
            What::Began { wire, .. } => {
                *counts.sessions.entry(wire.to_string()).or_default() += 1;
                session.used = *at;
            }
            What::Leaving => session.leaving = true,
            What::NotFound => {
                let unused = at.saturating_sub(session.used);
                if !session.leaving && unused < promises.session_ttl {
                    broken.push(Broken::SessionLost { unused });
                }
            }
            What::Unauthorized => broken.push(Broken::Unauthorized),
            What::ForeignServed { owner, status } => broken.push(Broken::ForeignServed {
                owner: *owner,
                status: *status,
            }),
            What::Strange { call, status } => broken.push(Broken::Strange {
                call: *call,
                status: *status,
            }),
            What::Trumpet => {
                for session in self.sessions.values_mut() {
                    session.streams.expect_change();
                }
            }
            What::Sent { .. }
            | What::Acknowledged { .. }
            | What::Unknown { .. }
            | What::Vanished { .. }
            | What::Outcome { .. }
            | What::Hung { .. } => {
                session
                    .calls
                    .take(what, *at, promises.deadline, counts, &mut broken);
                if matches!(what, What::Acknowledged { .. }) {
                    session.used = *at;
                }
            }
            What::Event { stream, id, content } => {
                session.used = *at;
                session.streams.event(*stream, *id, content, counts, &mut broken);
                session.calls.event(content, counts, &mut broken);
            }
            What::Resumed { .. } | What::Gone { .. } | What::Replayed { .. } | What::ReplayOver { .. } => {
                session.streams.take(what, counts, &mut broken);
            }
        }
        self.report(*number, broken);
    }

    fn end(mut self, executions: &[Execution]) -> Verdict {
        let mut runs: HashMap<(u32, u32), Vec<Execution>> = HashMap::new();
        for execution in executions {
            runs.entry((execution.session, execution.call))
                .or_default()
                .push(*execution);
        }
        self.verdict.counts.runs = executions.len() as u64;
        let mut sessions: Vec<_> = std::mem::take(&mut self.sessions).into_iter().collect();
        sessions.sort_by_key(|(number, _)| *number);
        for (number, session) in sessions {
            let mut broken = Vec::new();
            session
                .calls
                .end(number, &runs, &mut self.verdict.counts, &mut broken);
            session.streams.end(session.leaving, &mut broken);
            self.report(number, broken);
        }
        self.verdict.counts.latencies.sort_unstable();
        self.verdict
    }

    fn report(&mut self, session: u32, broken: Vec<Broken>) {
        let at = self.now;
        let violation = |broken| Violation { session, at, broken };
        self.verdict.violations.extend(broken.into_iter().map(violation));
    }
}

impl Counts {
    /// The latency that this share of the acknowledged calls stayed below.
    pub fn latency(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        self.latencies.get(index).copied().unwrap_or_default()
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Legacy => f.write_str("2024-11-05 (HTTP+SSE)"),
            Self::Streamable(revision) => f.write_str(revision),
            Self::Stateless => f.write_str("2026-07-28 (stateless)"),
        }
    }
}
