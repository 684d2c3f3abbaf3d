//! More calls than can be served: an answer at once, and no avalanche of retries.

use tokio::time::Instant;
use tonic::Code;

use crate::harness::{Behaviour, Replica, call_tool, connect, describe, settings, until};

#[tokio::test]
async fn more_calls_than_replicas_may_have_open_are_refused_at_once() {
    let (one, two) = (Replica::start().await, Replica::start().await);
    let settings = serving::UpstreamSettings {
        max_open_calls: 4,
        ..settings()
    };
    let deadline = settings.timeout;
    let upstream = connect(&[&one.url(), &two.url()], settings).await;
    for replica in [&one, &two] {
        replica.script.behave(Behaviour::Hang);
    }
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let upstream = upstream.clone();
            tokio::spawn(async move { call_tool(&upstream).await })
        })
        .collect();
    until("all places are taken", async || {
        one.script.calls() == 4 && two.script.calls() == 4
    })
    .await;
    let began = Instant::now();
    assert_eq!(
        call_tool(&upstream).await.unwrap_err().code(),
        Code::ResourceExhausted
    );
    assert_eq!(
        describe(&upstream).await.unwrap_err().code(),
        Code::ResourceExhausted
    );
    // At once, and not when a place gets free or a deadline passes.
    assert!(began.elapsed() < deadline, "{:?}", began.elapsed());
    for call in waiting {
        call.abort();
    }
    for replica in [&one, &two] {
        replica.script.behave(Behaviour::Answer);
    }
    until("there is room again", async || call_tool(&upstream).await.is_ok()).await;
}

#[tokio::test]
async fn retries_do_not_multiply_an_outage() {
    const CALLS: usize = 3_000;
    let (one, two) = (Replica::start().await, Replica::start().await);
    let upstream = connect(&[&one.url(), &two.url()], settings()).await;
    for replica in [&one, &two] {
        replica.script.behave(Behaviour::Fail(Code::Unavailable));
    }
    let began = Instant::now();
    for _ in 0..CALLS / 300 {
        for answer in futures::future::join_all((0..300).map(|_| describe(&upstream))).await {
            assert_eq!(answer.unwrap_err().code(), Code::Unavailable);
        }
    }
    let sent = one.script.calls() + two.script.calls();
    // What was saved up, a tenth, and five a second.
    let most = CALLS + 500 + CALLS / 10 + 5 * (began.elapsed().as_secs() as usize + 1);
    assert!(sent <= most, "{sent} calls were made of {CALLS}");
}
