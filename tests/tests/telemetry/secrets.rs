//! Nothing that opens a door, and no word of what clients send, is found in logs, spans, metrics or Redis.

mod calls;
mod logins;
mod redis;

use std::collections::BTreeMap;

use system_tests::{OtlpReceiver, RedisMonitor, Stack};

use super::seen::{eventually, log, prometheus, terminate};
use crate::target::Target;
use calls::Stateless;

const PARTS: [&str; 5] = ["edge-0", "edge-1", "auth-0", "session-0", "feature-0"];
/// In the arguments and results of calls.
const ARGUMENT: &str = "marker-of-an-argument-5d1c0f8e";
/// In what a person fills in.
const ANSWER: &str = "marker-of-an-answer-c07a3b19";
/// What a model says.
const SAMPLED: &str = "marker-of-a-sample-77e2d415";
/// Why a person does not answer.
const REASON: &str = "marker-of-a-reason-90c4fe62";

/// Whatever must stay secret, by what it is.
type Secrets = BTreeMap<String, String>;

fn find<'a>(text: &str, secrets: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<&'a str> {
    let found = secrets
        .into_iter()
        .filter(|(_, secret)| text.contains(secret.as_str()));
    found.map(|(what, _)| what.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_of_a_full_run_is_found_anywhere() {
    let receiver = OtlpReceiver::start().await.unwrap();
    let target = Target::of(
        Stack::builder()
            .processes()
            .redis()
            .edges(2)
            .setting("RUST_LOG", "trace")
            .setting("LOG_FORMAT", "json")
            .setting("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.endpoint())
            .setting("ADMIN_ADDR", "127.0.0.1:0"),
    )
    .await;
    let stack = &target.stack;
    let watching = RedisMonitor::begin(stack).await.unwrap();
    let mut secrets = Secrets::new();
    // They lead to what is somebody's own where there is no login.
    let mut ids = Secrets::new();
    let token = logins::log_in(&target, &mut secrets).await;
    logins::are_refused(&target, &mut secrets).await;
    calls::use_session(&target, &token, &mut ids).await;
    calls::resume_a_stream(&target, &token, &mut ids).await;
    calls::run_tasks(&target, &token, &mut ids).await;
    let (target, token) = (&target, token.as_str());
    let stateless = Stateless { target, token };
    stateless.play_rounds(&mut secrets).await;
    stateless.run_a_task(&mut ids).await;

    let stored = redis::stored(stack).await;
    let told = watching.end(stack).await.unwrap();
    let mut metrics = String::new();
    for part in PARTS {
        metrics.push_str(&format!("{:?}", prometheus(stack, part).await));
    }
    for part in PARTS {
        // What is left is exported now.
        terminate(stack, part).await;
    }
    eventually("spans of every process", async || {
        let spans = receiver.spans();
        let services: std::collections::BTreeSet<_> = spans.iter().map(|span| span.service.clone()).collect();
        (services.len() == 4 && !receiver.metrics().is_empty()).then_some(())
    })
    .await;
    metrics.push_str(&format!("{:?}", receiver.metrics()));

    for (what, secret) in secrets.iter().chain(&ids) {
        assert!(secret.len() >= 20, "{what} is too short to look for: {secret}");
    }
    let bodies: Secrets = [
        ("argument", ARGUMENT),
        ("answer", ANSWER),
        ("sample", SAMPLED),
        ("reason", REASON),
    ]
    .map(|(what, marker)| (what.to_owned(), marker.to_owned()))
    .into();
    let everything = || secrets.iter().chain(&bodies).chain(&ids);
    for part in PARTS {
        let log = log(stack, part);
        assert!(
            log.contains("\"level\":\"TRACE\"") || log.contains("\"level\":\"DEBUG\""),
            "{part} logs little"
        );
        for line in log.lines() {
            assert_eq!(find(line, everything()), <[&str; 0]>::default(), "{part}: {line}");
        }
    }
    for span in receiver.spans() {
        let text = format!("{span:?}");
        assert_eq!(find(&text, everything()), <[&str; 0]>::default(), "{text}");
    }
    assert_eq!(find(&metrics, everything()), <[&str; 0]>::default());
    for line in told.iter().chain(&stored) {
        assert_eq!(find(line, &secrets), <[&str; 0]>::default(), "{line}");
        // What a client must not miss is in its session's log, and what it answered waits there to be taken.
        let of_session = line.contains("session:{") || line.contains("task:{");
        if !of_session {
            assert_eq!(find(line, &bodies), <[&str; 0]>::default(), "{line}");
        }
    }
    assert!(
        told.iter().any(|line| line.contains("auth:")),
        "nothing was watched"
    );
}
