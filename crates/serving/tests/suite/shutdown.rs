//! A planned shutdown of one replica is not noticed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serving::{Readiness, Reason, Upstream};
use tokio::time::Instant;

use crate::harness::{Behaviour, Replica, both_are_used, call_tool, connect, describe, settings, soon};

/// Calls from many tasks until told to stop; panics if one fails.
struct Load {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    callers: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn begin(upstream: &Upstream) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let calls = Arc::new(AtomicUsize::new(0));
        let callers = (0..32)
            .map(|caller| {
                let (stop, calls, upstream) = (stop.clone(), calls.clone(), upstream.clone());
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        let answer = match caller % 2 {
                            0 => call_tool(&upstream).await,
                            _ => describe(&upstream).await,
                        };
                        answer.unwrap();
                        calls.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        Self { stop, calls, callers }
    }

    /// How many there were.
    async fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.await.unwrap();
        }
        self.calls.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_no_call_fails_when_one_of_two_replicas_is_shut_down() {
    let (one, two) = (Replica::start().await, Replica::start().await);
    for replica in [&one, &two] {
        replica
            .script
            .behave(Behaviour::AnswerAfter(Duration::from_millis(15)));
    }
    let upstream = connect(&[&one.url(), &two.url()], settings()).await;
    both_are_used(&upstream, &one.script, &two.script).await;
    let load = Load::begin(&upstream);
    tokio::time::sleep(Duration::from_millis(200)).await;
    one.stop.cancel();
    let began = Instant::now();
    soon(one.ended).await.unwrap();
    // No stream of ours keeps it waiting.
    assert!(
        began.elapsed() < Duration::from_millis(1_900),
        "{:?}",
        began.elapsed()
    );
    let before = two.script.calls();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(two.script.calls() > before);
    let calls = load.end().await;
    assert!(calls > 300, "only {calls} calls");
}

#[tokio::test]
async fn what_is_under_way_is_finished_and_what_hangs_is_ended_at_the_deadline() {
    let (one, two) = (Replica::start().await, Replica::start().await);
    let calm = connect(&[&one.url()], settings()).await;
    one.script
        .behave(Behaviour::AnswerAfter(Duration::from_millis(800)));
    let call = tokio::spawn(async move { call_tool(&calm).await });
    while one.script.calls() == 0 {
        tokio::task::yield_now().await;
    }
    one.stop.cancel();
    call.await.unwrap().unwrap();
    soon(one.ended).await.unwrap();

    let stuck = connect(&[&two.url()], settings()).await;
    two.script.behave(Behaviour::Hang);
    let call = tokio::spawn(async move { call_tool(&stuck).await });
    while two.script.calls() == 0 {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    two.stop.cancel();
    soon(two.ended).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    call.abort();
}

/// While it drains it can still be asked, and says the same each time.
#[tokio::test]
async fn a_replica_that_drains_is_told_of_once() {
    let one = Replica::start().await;
    let upstream = connect(&[&one.url()], settings()).await;
    one.script.behave(Behaviour::Hang);
    let call = tokio::spawn({
        let upstream = upstream.clone();
        async move { call_tool(&upstream).await }
    });
    while one.script.calls() == 0 {
        tokio::task::yield_now().await;
    }
    let mut readiness = upstream.readiness();
    readiness.mark_unchanged();
    let mut told = Vec::new();
    one.stop.cancel();
    let mut ended = std::pin::pin!(soon(one.ended));
    loop {
        tokio::select! {
            changed = readiness.changed() => {
                changed.unwrap();
                told.push(*readiness.borrow_and_update());
            }
            ended = &mut ended => break ended.unwrap(),
        }
    }
    let times = |reason| {
        let same = |said: &&Readiness| **said == Readiness::NotReady(reason);
        told.iter().filter(same).count()
    };
    assert_eq!(times(Reason::ShuttingDown), 1, "{told:?}");
    // Said by the watch, before it is asked why.
    assert!(times(Reason::NotServing) <= 1, "{told:?}");
    call.abort();
}
