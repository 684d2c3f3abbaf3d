//! Each call: one end, and in each run of its tool every event once and in order.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use super::{Broken, Counts};
use crate::chaos::history::{Content, Execution, Expects, Outcome, What};

/// The calls of one session.
#[derive(Default)]
pub(super) struct Calls(HashMap<u32, Call>);

#[derive(Default)]
struct Call {
    expects: Expects,
    sent: Duration,
    acknowledged: bool,
    /// The client gave up before anything was acknowledged, went away, or recorded that it waited in vain.
    let_go: bool,
    outcome: Option<Outcome>,
    progress: u64,
    runs: HashMap<(u8, u64), Run>,
}

/// What was seen of one run of one round.
#[derive(Default)]
struct Run {
    last: u32,
    missing: BTreeSet<u32>,
}

impl Calls {
    pub(super) fn take(
        &mut self,
        what: &What,
        at: Duration,
        deadline: Duration,
        counts: &mut Counts,
        broken: &mut Vec<Broken>,
    ) {
        match *what {
            What::Sent { call, expects } => {
                counts.calls += 1;
                let sent = Call {
                    expects,
                    sent: at,
                    ..Call::default()
                };
                self.0.insert(call, sent);
            }
            What::Acknowledged { call } => {
                let state = self.0.entry(call).or_default();
                counts.acknowledged += u64::from(!state.acknowledged);
                state.acknowledged = true;
            }
            What::Unknown { call } => {
                counts.unknown += 1;
                self.0.entry(call).or_default().let_go = true;
            }
            What::Vanished { call } => {
                counts.vanished += 1;
                let state = self.0.entry(call).or_default();
                state.let_go = true;
                // Nobody is there any more to whom it could be owed.
                state.acknowledged = false;
            }
            What::Hung { call } => {
                self.0.entry(call).or_default().let_go = true;
                broken.push(Broken::Hung { call });
            }
            What::Outcome { call, outcome } => {
                let state = self.0.entry(call).or_default();
                if state.outcome.replace(outcome).is_some() {
                    broken.push(Broken::TwoOutcomes { call });
                    return;
                }
                match outcome {
                    Outcome::Result { .. } => counts.results += 1,
                    Outcome::Error { .. } => {
                        counts.errors += 1;
                        counts.errors_of_repeatable += u64::from(state.expects.repeatable);
                    }
                    Outcome::Refused { .. } => counts.refused += 1,
                }
                if state.acknowledged {
                    let latency = at.saturating_sub(state.sent);
                    // Where the client noticed, it has said so.
                    if latency > deadline && !state.let_go {
                        broken.push(Broken::Hung { call });
                    }
                    counts.latencies.push(latency);
                }
            }
            _ => {}
        }
    }

    pub(super) fn event(&mut self, content: &Content, counts: &mut Counts, broken: &mut Vec<Broken>) {
        match *content {
            Content::Numbered { call, round, run, n } => {
                counts.numbered += 1;
                let state = self.0.entry(call).or_default();
                if state.outcome.is_some() {
                    broken.push(Broken::AfterTheEnd { call });
                }
                let seen = state.runs.entry((round, run)).or_default();
                if n > seen.last {
                    seen.missing.extend(seen.last + 1..n);
                    seen.last = n;
                } else if seen.missing.remove(&n) {
                    broken.push(Broken::Reordered { call, round, run, n });
                } else {
                    broken.push(Broken::Duplicated {
                        stream: call,
                        call,
                        n,
                    });
                }
            }
            Content::Progress { call, value } => {
                let state = self.0.entry(call).or_default();
                if state.outcome.is_some() {
                    broken.push(Broken::AfterTheEnd { call });
                }
                if value <= state.progress {
                    broken.push(Broken::ProgressFell { call, value });
                }
                state.progress = value;
            }
            _ => {}
        }
    }

    pub(super) fn end(
        self,
        session: u32,
        runs: &HashMap<(u32, u32), Vec<Execution>>,
        counts: &mut Counts,
        broken: &mut Vec<Broken>,
    ) {
        let mut calls: Vec<_> = self.0.into_iter().collect();
        calls.sort_by_key(|(number, _)| *number);
        for (number, call) in calls {
            let ran = runs.get(&(session, number)).map_or(&[][..], Vec::as_slice);
            call.end(number, ran, counts, broken);
        }
    }
}

impl Call {
    fn end(self, call: u32, ran: &[Execution], counts: &mut Counts, broken: &mut Vec<Broken>) {
        match (&self.outcome, self.acknowledged, self.let_go) {
            (None, true, false) => broken.push(Broken::NoOutcome { call }),
            (None, false, false) => broken.push(Broken::Open { call }),
            _ => {}
        }
        for (&(round, run), seen) in &self.runs {
            let (Some(&first), Some(&last)) = (seen.missing.first(), seen.missing.last()) else {
                continue;
            };
            broken.push(Broken::Lost {
                call,
                round,
                run,
                first,
                last,
            });
        }
        self.check_runs(call, ran, counts, broken);
        if let Some(Outcome::Result { run: Some(run) }) = self.outcome {
            self.check_result(call, run, ran, broken);
        }
    }

    fn check_runs(&self, call: u32, ran: &[Execution], counts: &mut Counts, broken: &mut Vec<Broken>) {
        let mut again = false;
        for round in 1..=self.expects.rounds {
            let runs: HashSet<u64> = ran
                .iter()
                .filter(|execution| execution.round == round)
                .map(|execution| execution.run)
                .collect();
            again |= runs.len() > 1;
            if runs.len() > 1 && !self.expects.repeatable {
                broken.push(Broken::RanTwice { call, round });
            }
        }
        counts.run_again += u64::from(again && self.expects.repeatable);
    }

    /// A result stands for complete rounds: whoever sees it has seen all that the tool said in them.
    fn check_result(&self, call: u32, run: u64, ran: &[Execution], broken: &mut Vec<Broken>) {
        let Expects { events, rounds, .. } = self.expects;
        let is_known = |execution: &Execution| (execution.round, execution.run) == (rounds, run);
        if !ran.iter().any(is_known) {
            broken.push(Broken::MadeUp { call });
        }
        for round in 1..=rounds {
            let runs = || self.runs.iter().filter(|((of, _), _)| *of == round);
            let furthest = if round == rounds {
                self.runs.get(&(round, run)).map(|seen| (run, seen.last))
            } else {
                runs()
                    .map(|((_, run), seen)| (*run, seen.last))
                    .max_by_key(|(_, last)| *last)
            };
            let (run, last) = furthest.unwrap_or((run, 0));
            if last < events {
                let (first, last) = (last + 1, events);
                broken.push(Broken::Lost {
                    call,
                    round,
                    run,
                    first,
                    last,
                });
            }
        }
    }
}
