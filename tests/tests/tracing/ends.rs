//! Spans end: when a client goes away, and when a process does.

use std::process::Command;

use serde_json::{Value, json};
use system_tests::client::SseStream;

use super::world::{Era, World, echo, from_outside, is_server, send};

fn long(duration_s: f64) -> Value {
    json!({
        "name": "longRunningOperation",
        "arguments": {"duration": duration_s, "steps": 100},
        "_meta": {"progressToken": "p"},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_leaves_no_span_open() {
    let world = World::start().await;
    let client = world.client(Era::Stateless).await;
    let (trace_id, traceparent) = from_outside();
    let request = client
        .post("tools/call", long(60.0))
        .header("traceparent", traceparent);
    let mut stream = SseStream::open(request).await.unwrap();
    assert_eq!(stream.message().await["method"], "notifications/progress");
    drop(stream);
    let without_progress = |span: &system_tests::otlp::Span| span.name != "notifications/progress";
    world
        .receiver
        .expect_tree(
            &trace_id,
            without_progress,
            "
            edge-0 SERVER POST /mcp
              edge-0 SERVER tools/call longRunningOperation ! cancelled
                edge-0 CLIENT everything.feature.v1.FeatureService/CallTool ! CANCELLED
                  feature-0 SERVER everything.feature.v1.FeatureService/CallTool
            ",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_spans_of_a_process_are_sent_before_it_ends() {
    // Longer than the test: what arrives was sent at the end.
    let world = World::with(&[("OTEL_BSP_SCHEDULE_DELAY", "600000")]).await;
    let client = world.client(Era::Sessions).await;
    let (trace_id, traceparent) = from_outside();
    send(
        client
            .post("tools/call", echo())
            .header("traceparent", traceparent),
    )
    .await;
    assert!(world.receiver.spans().is_empty());
    for (name, pid) in world.stack.pids() {
        if name == "edge-0" || name == "feature-0" {
            let killed = Command::new("kill").args(["-TERM", &pid.to_string()]).status();
            assert!(killed.unwrap().success());
        }
    }
    let spans = world
        .expect(
            &trace_id,
            "
            edge-0 SERVER POST /mcp
              edge-0 SERVER tools/call echo
                edge-0 CLIENT everything.feature.v1.FeatureService/CallTool
                  feature-0 SERVER everything.feature.v1.FeatureService/CallTool
            ",
        )
        .await;
    assert!(spans.iter().any(|span| is_server(span, "POST /mcp")));
}
