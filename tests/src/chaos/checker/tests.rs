//! Histories that must be refused, each a sound one with one thing wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::chaos::history::{Content, Expects, Outcome, STANDALONE};

const RUN: u64 = 7;
const PROMISES: Promises = Promises {
    session_ttl: Duration::from_secs(300),
    deadline: Duration::from_secs(30),
};

/// One session with one call of three events, and what its tool noted.
fn sound() -> (Vec<What>, Vec<Execution>) {
    let expects = Expects {
        events: 3,
        rounds: 1,
        repeatable: false,
    };
    let mut whats = vec![
        What::Began {
            wire: Wire::Streamable("2025-11-25"),
            user: 1,
        },
        What::Sent { call: 1, expects },
        event(1, 10, Content::Priming),
        What::Acknowledged { call: 1 },
    ];
    whats.extend((1..=3).map(numbered));
    whats.push(event(1, 20, Content::Answer { call: 1 }));
    whats.push(result(1));
    (whats, vec![execution(1, RUN)])
}

fn event(stream: u32, id: u64, content: Content) -> What {
    What::Event { stream, id, content }
}

fn numbered(n: u32) -> What {
    numbered_of(RUN, n)
}

fn numbered_of(run: u64, n: u32) -> What {
    let content = Content::Numbered {
        call: 1,
        round: 1,
        run,
        n,
    };
    event(1, run * 100 + u64::from(n), content)
}

fn result(call: u32) -> What {
    What::Outcome {
        call,
        outcome: Outcome::Result { run: Some(RUN) },
    }
}

fn error(call: u32) -> What {
    What::Outcome {
        call,
        outcome: Outcome::Error { code: -32603 },
    }
}

fn execution(call: u32, run: u64) -> Execution {
    Execution {
        session: 1,
        call,
        round: 1,
        run,
    }
}

/// A record a second.
fn judge(whats: Vec<What>, executions: &[Execution]) -> Vec<Broken> {
    let records: Vec<_> = whats
        .into_iter()
        .zip(0..)
        .map(|(what, second)| Record {
            at: Duration::from_secs(second),
            session: 1,
            what,
        })
        .collect();
    let verdict = check(&records, executions, &PROMISES);
    verdict
        .violations
        .into_iter()
        .map(|violation| violation.broken)
        .collect()
}

/// What the sound history is found to be when this was done to it.
fn judge_with(change: impl FnOnce(&mut Vec<What>, &mut Vec<Execution>)) -> Vec<Broken> {
    let (mut whats, mut executions) = sound();
    change(&mut whats, &mut executions);
    judge(whats, &executions)
}

/// Where the n-th numbered event is in the sound history.
fn place(n: usize) -> usize {
    3 + n
}

#[test]
fn a_sound_history_is_accepted_and_counted() {
    let (whats, executions) = sound();
    assert_eq!(judge(whats.clone(), &executions), []);
    let records: Vec<_> = whats
        .into_iter()
        .map(|what| Record {
            at: Duration::ZERO,
            session: 1,
            what,
        })
        .collect();
    let counts = check(&records, &executions, &PROMISES).counts;
    assert_eq!((counts.events, counts.numbered), (5, 3));
    assert_eq!((counts.calls, counts.acknowledged, counts.results), (1, 1, 1));
}

#[test]
fn a_lost_event_is_found_in_the_middle_and_at_the_end() {
    let lost = |first, last| Broken::Lost {
        call: 1,
        round: 1,
        run: RUN,
        first,
        last,
    };
    let without = |places: std::ops::RangeInclusive<usize>| {
        judge_with(|whats, _| {
            whats.drain(places);
        })
    };
    assert_eq!(without(place(2)..=place(2)), [lost(2, 2)]);
    assert_eq!(without(place(3)..=place(3)), [lost(3, 3)]);
    assert_eq!(without(place(1)..=place(3)), [lost(1, 3)]);
}

#[test]
fn a_gap_is_a_loss_even_where_the_call_ends_in_an_error() {
    let broken = judge_with(|whats, _| {
        whats.remove(place(2));
        *whats.last_mut().unwrap() = error(1);
    });
    assert!(
        matches!(
            broken[..],
            [Broken::Lost {
                first: 2,
                last: 2,
                ..
            }]
        ),
        "{broken:?}"
    );
    // What the tool had no time to say is not lost.
    let broken = judge_with(|whats, _| {
        whats.remove(place(3));
        *whats.last_mut().unwrap() = error(1);
    });
    assert_eq!(broken, []);
}

#[test]
fn a_duplicated_event_is_found_by_its_number_and_by_its_id() {
    let same = judge_with(|whats, _| whats.insert(place(3), numbered(2)));
    assert_eq!(same.len(), 2, "{same:?}");
    let under_another_id = judge_with(|whats, _| {
        let content = Content::Numbered {
            call: 1,
            round: 1,
            run: RUN,
            n: 2,
        };
        whats.insert(place(3), event(1, 999, content));
    });
    assert_eq!(
        under_another_id,
        [Broken::Duplicated {
            stream: 1,
            call: 1,
            n: 2
        }]
    );
    let change_again = judge_with(|whats, _| {
        whats.push(event(STANDALONE, 5, Content::Change));
        whats.push(event(STANDALONE, 5, Content::Change));
    });
    assert_eq!(change_again.len(), 1, "{change_again:?}");
}

#[test]
fn a_reordered_event_is_found() {
    let broken = judge_with(|whats, _| whats.swap(place(1), place(2)));
    assert_eq!(
        broken,
        [Broken::Reordered {
            call: 1,
            round: 1,
            run: RUN,
            n: 1
        }]
    );
}

#[test]
fn two_outcomes_and_events_after_the_end_are_found() {
    assert_eq!(
        judge_with(|whats, _| whats.push(error(1))),
        [Broken::TwoOutcomes { call: 1 }]
    );
    assert_eq!(
        judge_with(|whats, _| whats.push(result(1))),
        [Broken::TwoOutcomes { call: 1 }]
    );
    let late = judge_with(|whats, _| {
        let third = whats.remove(place(3));
        whats.push(third);
    });
    assert!(late.contains(&Broken::AfterTheEnd { call: 1 }), "{late:?}");
}

#[test]
fn an_acknowledged_call_without_an_outcome_is_found() {
    assert_eq!(
        judge_with(|whats, _| {
            whats.pop();
        }),
        [Broken::NoOutcome { call: 1 }]
    );
    let gone = judge_with(|whats, _| {
        *whats.last_mut().unwrap() = What::Gone {
            stream: 1,
            status: 410,
        };
    });
    assert_eq!(gone, [Broken::NoOutcome { call: 1 }]);
}

#[test]
fn a_call_that_was_never_acknowledged_owes_nothing_but_must_not_stay_open() {
    let expects = Expects::default();
    let sent = || What::Sent { call: 2, expects };
    let unknown = judge_with(|whats, _| whats.extend([sent(), What::Unknown { call: 2 }]));
    assert_eq!(unknown, []);
    assert_eq!(
        judge_with(|whats, _| whats.push(sent())),
        [Broken::Open { call: 2 }]
    );
}

#[test]
fn a_hung_call_is_found() {
    let broken = judge_with(|whats, _| *whats.last_mut().unwrap() = What::Hung { call: 1 });
    assert_eq!(broken, [Broken::Hung { call: 1 }]);
    // One that ends all the same, too late.
    let broken = judge_with(|whats, _| {
        let end = whats.len() - 1;
        let waiting = (0..PROMISES.deadline.as_secs()).map(|_| What::Acknowledged { call: 1 });
        whats.splice(end..end, waiting);
    });
    assert_eq!(broken, [Broken::Hung { call: 1 }]);
}

#[test]
fn a_foreign_sight_is_found() {
    let seen = judge_with(|whats, _| whats.push(event(1, 99, Content::Foreign { session: 4 })));
    assert_eq!(seen, [Broken::ForeignSight { of: 4 }]);
    let served = What::ForeignServed {
        owner: 3,
        status: 200,
    };
    let served = judge_with(|whats, _| whats.push(served));
    assert_eq!(
        served,
        [Broken::ForeignServed {
            owner: 3,
            status: 200
        }]
    );
}

#[test]
fn a_session_that_is_lost_within_its_time_is_found() {
    let lost = judge_with(|whats, _| whats.push(What::NotFound));
    assert!(matches!(lost[..], [Broken::SessionLost { .. }]), "{lost:?}");
    assert_eq!(
        judge_with(|whats, _| whats.extend([What::Leaving, What::NotFound])),
        []
    );
    let (whats, executions) = sound();
    let mut records: Vec<_> = whats
        .into_iter()
        .map(|what| Record {
            at: Duration::ZERO,
            session: 1,
            what,
        })
        .collect();
    records.push(Record {
        at: PROMISES.session_ttl,
        session: 1,
        what: What::NotFound,
    });
    assert_eq!(check(&records, &executions, &PROMISES).violations, []);
}

#[test]
fn a_valid_token_that_is_refused_is_found() {
    assert_eq!(
        judge_with(|whats, _| whats.push(What::Unauthorized)),
        [Broken::Unauthorized]
    );
}

#[test]
fn a_tool_that_ran_twice_is_found_unless_it_may() {
    let twice = judge_with(|_, executions| executions.push(execution(1, RUN + 1)));
    assert_eq!(twice, [Broken::RanTwice { call: 1, round: 1 }]);
    let may = judge_with(|whats, executions| {
        if let What::Sent { expects, .. } = &mut whats[1] {
            expects.repeatable = true;
        }
        // The run that was interrupted told two events of its own first.
        whats.splice(place(1)..place(1), [numbered_of(3, 1), numbered_of(3, 2)]);
        executions.push(execution(1, 3));
    });
    assert_eq!(may, []);
}

#[test]
fn a_result_of_a_run_that_was_not_seen_whole_is_found() {
    // The first run was interrupted, and the second one's events never came.
    let broken = judge_with(|whats, executions| {
        if let What::Sent { expects, .. } = &mut whats[1] {
            expects.repeatable = true;
        }
        executions.push(execution(1, 3));
        for n in 1..=3 {
            whats[place(n as usize)] = numbered_of(3, n);
        }
    });
    assert!(
        matches!(
            broken[..],
            [Broken::Lost {
                run: RUN,
                first: 1,
                last: 3,
                ..
            }]
        ),
        "{broken:?}"
    );
    let made_up = judge_with(|_, executions| executions.clear());
    assert_eq!(made_up, [Broken::MadeUp { call: 1 }]);
}

#[test]
fn progress_that_does_not_increase_is_found() {
    let fell = judge_with(|whats, _| {
        for (id, value) in [(51, 2), (52, 2)] {
            let content = Content::Progress { call: 1, value };
            whats.insert(place(1), event(1, id, content));
        }
    });
    assert_eq!(fell, [Broken::ProgressFell { call: 1, value: 2 }]);
}

#[test]
fn a_replay_that_differs_is_found() {
    let replay = |n| match numbered(n) {
        What::Event { stream, id, content } => What::Replayed { stream, id, content },
        what => what,
    };
    let answer = || What::Replayed {
        stream: 1,
        id: 20,
        content: Content::Answer { call: 1 },
    };
    let after = |after| What::ReplayOver { stream: 1, after };
    let over = || after(10);
    let whole = judge_with(|whats, _| whats.extend([replay(1), replay(2), replay(3), answer(), over()]));
    assert_eq!(whole, []);
    let short = judge_with(|whats, _| whats.extend([replay(1), replay(3), answer(), over()]));
    assert_eq!(short, [Broken::ReplayDiffers { stream: 1 }]);
    // From after the first message, where nothing primed the stream.
    let rest = judge_with(|whats, _| whats.extend([replay(2), replay(3), answer(), after(RUN * 100 + 1)]));
    assert_eq!(rest, []);
}

#[test]
fn a_stream_that_no_longer_hears_is_found() {
    let open = || event(STANDALONE, 1, Content::Priming);
    let heard = event(STANDALONE, 2, Content::Change);
    assert_eq!(
        judge_with(|whats, _| whats.extend([open(), What::Trumpet, heard])),
        []
    );
    assert_eq!(
        judge_with(|whats, _| whats.extend([open(), What::Trumpet])),
        [Broken::Deaf]
    );
}

#[test]
fn rounds_are_judged_one_by_one() {
    let of_round = |round, run, n| {
        let content = Content::Numbered {
            call: 1,
            round,
            run,
            n,
        };
        event(1, run * 100 + u64::from(n), content)
    };
    let history = |first_round: u32| {
        judge_with(|whats, executions| {
            if let What::Sent { expects, .. } = &mut whats[1] {
                (expects.events, expects.rounds) = (2, 2);
            }
            whats.truncate(place(1));
            whats.extend((1..=first_round).map(|n| of_round(1, 5, n)));
            whats.push(event(1, 77, Content::Question { id: 1 }));
            whats.extend((1..=2).map(|n| of_round(2, RUN, n)));
            whats.push(result(1));
            executions.clear();
            executions.extend([
                execution(1, 5),
                Execution {
                    round: 2,
                    ..execution(1, RUN)
                },
            ]);
        })
    };
    assert_eq!(history(2), []);
    assert!(matches!(
        history(1)[..],
        [Broken::Lost {
            round: 1,
            run: 5,
            first: 2,
            last: 2,
            ..
        }]
    ));
}
