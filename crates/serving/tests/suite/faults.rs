//! Replicas that die, hang, turn slow, refuse, or come and go.

use std::time::Duration;

use tokio::{net::TcpListener, time::Instant};
use tonic::Code;

use crate::harness::{
    Behaviour, Replica, Wire, both_are_used, call_tool, connect, describe, settings, until, wire,
};

#[tokio::test]
async fn a_replica_that_goes_silent_costs_a_retry_and_not_the_call() {
    let (one, two) = (Replica::start().await, Replica::start().await);
    let (to_one, wire) = wire(one.address).await;
    let upstream = connect(&[&to_one, &two.url()], settings()).await;
    both_are_used(&upstream, &one.script, &two.script).await;

    wire.send_replace(Wire::Silent);
    let began = Instant::now();
    for answer in futures::future::join_all((0..40).map(|_| describe(&upstream))).await {
        answer.unwrap();
    }
    // One try, and the retry.
    assert!(began.elapsed() < settings().timeout / 2, "{:?}", began.elapsed());
    // By now it is known: calls that must not be repeated do not go there either.
    until("nobody asks the silent one", async || {
        let began = Instant::now();
        call_tool(&upstream).await.is_ok() && began.elapsed() < Duration::from_millis(200)
    })
    .await;
    for _ in 0..50 {
        call_tool(&upstream).await.unwrap();
    }

    wire.send_replace(Wire::Whole);
    both_are_used(&upstream, &one.script, &two.script).await;
}

#[tokio::test]
async fn a_replica_that_accepts_and_never_answers_gets_no_calls_beside_one_that_does() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let good = Replica::start().await;
    let upstream = connect(&[&url, &good.url()], settings()).await;
    for _ in 0..50 {
        call_tool(&upstream).await.unwrap();
    }
    assert_eq!(good.script.calls(), 50);
}

#[tokio::test]
async fn a_replica_that_hangs_alone_costs_one_deadline_and_is_not_asked_twice() {
    let alone = Replica::start().await;
    let settings = serving::UpstreamSettings {
        timeout: Duration::from_millis(300),
        ..settings()
    };
    let upstream = connect(&[&alone.url()], settings).await;
    alone.script.behave(Behaviour::Hang);
    for (call, expected) in [("repeatable", 1), ("not repeatable", 2)] {
        let status = match call {
            "repeatable" => describe(&upstream).await,
            _ => call_tool(&upstream).await,
        };
        // Whichever is noticed first: that time is up, or that the replica's health is silent.
        let code = status.unwrap_err().code();
        assert!(
            matches!(code, Code::DeadlineExceeded | Code::Unavailable),
            "{call}: {code:?}"
        );
        assert_eq!(alone.script.calls(), expected, "{call}");
    }
    // It still is the only one there is.
    alone.script.behave(Behaviour::Answer);
    until("it is asked again", async || describe(&upstream).await.is_ok()).await;
}

#[tokio::test]
async fn what_has_effects_is_sent_once_even_if_its_replica_hangs() {
    let (one, two) = (Replica::start().await, Replica::start().await);
    let settings = serving::UpstreamSettings {
        timeout: Duration::from_millis(500),
        ..settings()
    };
    let upstream = connect(&[&one.url(), &two.url()], settings).await;
    one.script.behave(Behaviour::Hang);
    two.script.behave(Behaviour::Hang);
    let status = call_tool(&upstream).await.unwrap_err();
    // By the deadline, or by the health of the replica where that is noticed first.
    assert!(
        matches!(status.code(), Code::DeadlineExceeded | Code::Unavailable),
        "{status:?}"
    );
    assert_eq!(one.script.calls() + two.script.calls(), 1);
}

#[tokio::test]
async fn a_slow_replica_is_left_alone_and_comes_back_when_it_is_not() {
    let (one, two) = (Replica::start().await, Replica::start().await);
    let settings = serving::UpstreamSettings {
        try_timeout: Duration::from_secs(5),
        ..settings()
    };
    let upstream = connect(&[&one.url(), &two.url()], settings).await;
    both_are_used(&upstream, &one.script, &two.script).await;
    one.script
        .behave(Behaviour::AnswerAfter(Duration::from_millis(400)));
    let before = one.script.calls();
    // Its health checks are as quick as ever.
    for _ in 0..4 {
        futures::future::join_all((0..10).map(|_| describe(&upstream))).await;
    }
    let during = one.script.calls() - before;
    assert!(during <= 10, "{during} of 40 calls went to the slow one");
    let before = one.script.calls();
    for _ in 0..40 {
        describe(&upstream).await.unwrap();
    }
    let during = one.script.calls() - before;
    assert!(during <= 2, "{during} of 40 calls in turn went to the slow one");

    one.script.behave(Behaviour::Answer);
    both_are_used(&upstream, &one.script, &two.script).await;
}

#[tokio::test]
async fn a_replica_that_refuses_all_calls_is_left_alone() {
    let (one, two) = (Replica::start().await, Replica::start().await);
    let upstream = connect(&[&one.url(), &two.url()], settings()).await;
    one.script.behave(Behaviour::Fail(Code::Unavailable));
    let mut failures = 0;
    for _ in 0..100 {
        // A call that can be repeated never shows it.
        describe(&upstream).await.unwrap();
        failures += usize::from(call_tool(&upstream).await.is_err());
    }
    assert!(failures <= 4, "{failures} of 100 calls failed");
    one.script.behave(Behaviour::Answer);
    both_are_used(&upstream, &one.script, &two.script).await;
}

#[tokio::test]
async fn an_address_where_nobody_listens_costs_nothing() {
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let good = Replica::start().await;
    let upstream = connect(&[&nobody, &good.url()], settings()).await;
    for _ in 0..100 {
        call_tool(&upstream).await.unwrap();
    }
}

#[tokio::test]
async fn a_replica_that_comes_and_goes_is_not_noticed_by_calls_that_can_be_repeated() {
    let (one, two) = (Replica::start().await, Replica::start().await);
    let (to_one, wire) = wire(one.address).await;
    let upstream = connect(&[&to_one, &two.url()], settings()).await;
    let flapping = tokio::spawn(async move {
        for round in 0..40 {
            let state = if round % 2 == 0 { Wire::Cut } else { Wire::Whole };
            wire.send_replace(state);
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        wire
    });
    let mut calls = 0;
    while !flapping.is_finished() {
        for answer in futures::future::join_all((0..20).map(|_| describe(&upstream))).await {
            answer.unwrap();
            calls += 1;
        }
    }
    assert!(calls > 100, "only {calls} calls");
    let _wire = flapping.await.unwrap();
    both_are_used(&upstream, &one.script, &two.script).await;
}

#[tokio::test]
async fn a_replica_that_dies_takes_nothing_with_it_but_what_it_was_doing() {
    let (one, two) = (Replica::start().await, Replica::start().await);
    let (to_one, wire) = wire(one.address).await;
    let upstream = connect(&[&to_one, &two.url()], settings()).await;
    both_are_used(&upstream, &one.script, &two.script).await;
    wire.send_replace(Wire::Cut);
    let mut failures = 0;
    for _ in 0..200 {
        failures += usize::from(call_tool(&upstream).await.is_err());
    }
    assert!(failures <= 1, "{failures} of 200 calls failed");
}
