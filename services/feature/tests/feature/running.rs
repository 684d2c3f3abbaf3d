//! Calls that take their time.

use std::time::Duration;

use everything_proto::feature::v1::{CallContext, LogLevel, Progress, call_event::Event};
use serde_json::json;
use tokio::{runtime::Handle, time::Instant};

use crate::harness::{Feature, alice, result};

#[tokio::test(start_paused = true)]
async fn a_long_running_operation_reports_every_step() {
    let feature = Feature::start().await;
    let context = CallContext {
        wants_progress: true,
        ..alice()
    };
    let started = Instant::now();
    let events = feature
        .call_in(
            context,
            "longRunningOperation",
            json!({ "duration": 3, "steps": 3 }),
        )
        .await;
    assert_eq!(started.elapsed().as_secs(), 3);
    let expected: Vec<Event> = (1..=3)
        .map(|step| {
            Event::Progress(Progress {
                progress: f64::from(step),
                total: Some(3.0),
                message: format!("Step {step} of 3"),
            })
        })
        .collect();
    assert_eq!(events[..3], expected);
    assert_eq!(
        result(events[3..].to_vec()),
        json!({ "content": [{
            "type": "text",
            "text": "Long running operation completed. Duration: 3 seconds, Steps: 3.",
        }] })
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_who_did_not_ask_for_progress_or_logs_gets_any() {
    let feature = Feature::start().await;
    let started = Instant::now();
    let result = feature.call("longRunningOperation", json!({})).await;
    assert_eq!(started.elapsed().as_secs(), 10);
    assert_eq!(
        result["content"][0]["text"],
        "Long running operation completed. Duration: 10 seconds, Steps: 5."
    );
}

#[tokio::test(start_paused = true)]
async fn logs_follow_the_level_that_is_wanted() {
    let feature = Feature::start().await;
    for (level, logs) in [
        (LogLevel::Debug, 1),
        (LogLevel::Info, 0),
        (LogLevel::Emergency, 0),
    ] {
        let context = CallContext {
            log_level: level.into(),
            ..alice()
        };
        let events = feature
            .call_in(context, "longRunningOperation", json!({ "duration": 1 }))
            .await;
        let logged = events
            .iter()
            .filter(|event| matches!(event, Event::Log(_)))
            .count();
        assert_eq!(logged, logs, "{level:?}");
        assert_eq!(events.len(), logs + 1);
    }
}

/// A dropped stream stops the tool: the task that drove it is gone although the operation had minutes to go.
#[tokio::test]
async fn dropping_the_stream_cancels_the_work() {
    let feature = Feature::start().await;
    feature.call("echo", json!({ "message": "warm up" })).await;
    let alive = || Handle::current().metrics().num_alive_tasks();
    let before = settled(alive).await;

    let context = CallContext {
        wants_progress: true,
        ..alice()
    };
    let arguments = json!({ "duration": 300, "steps": 1000 });
    let mut stream = feature.open(context, "longRunningOperation", arguments).await;
    let first = stream.message().await.unwrap().unwrap();
    assert!(matches!(first.event, Some(Event::Progress(_))));
    assert!(alive() > before);

    let dropped = Instant::now();
    drop(stream);
    while alive() > before {
        assert!(dropped.elapsed() < Duration::from_secs(3), "the tool runs on");
        tokio::task::yield_now().await;
    }
}

/// The value once it has stayed the same for a while.
async fn settled(value: impl Fn() -> usize) -> usize {
    let (mut last, mut same) = (value(), 0);
    while same < 1000 {
        tokio::task::yield_now().await;
        let now = value();
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}
