//! Which answers are JSON, which are streams, and what a stream looks like.

use serde_json::json;
use system_tests::client::Response;

use super::world::{World, echo, long_running, on_both_stores, progress, text};

on_both_stores!(
    a_plain_answer_is_json,
    what_needs_no_answer_is_accepted,
    a_call_that_says_something_first_is_answered_by_a_stream,
    streams_are_primed_in_the_newest_revision_only,
    a_stream_carries_the_error_of_its_call,
);

async fn a_plain_answer_is_json(world: World) {
    for revision in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let client = world.client_of(revision, json!({})).await;
        let response = client
            .request_as(json!("the id"), "tools/call", echo("hello"))
            .await
            .unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.json()["jsonrpc"], "2.0");
        assert_eq!(response.json()["id"], "the id");
        assert_eq!(text(&response.result().unwrap()), "Echo: hello");
    }
}

async fn what_needs_no_answer_is_accepted(world: World) {
    let client = world.client().await;
    let accepted = |response: Response| {
        assert_eq!((response.status, response.text().as_str()), (202, ""));
    };
    accepted(
        client
            .notify("notifications/roots/list_changed", json!({}))
            .await
            .unwrap(),
    );
    accepted(
        client
            .notify("notifications/nobody/knows", json!({}))
            .await
            .unwrap(),
    );
    accepted(
        client
            .notify("notifications/cancelled", json!({"requestId": "never sent"}))
            .await
            .unwrap(),
    );
    accepted(client.respond(&json!("never asked"), json!({})).await.unwrap());
    accepted(client.respond(&json!(7), json!({})).await.unwrap());
    accepted(
        client
            .respond_error(&json!("never asked"), -1, "no")
            .await
            .unwrap(),
    );
    assert!(client.call("ping", json!({})).await.is_ok());
}

async fn a_call_that_says_something_first_is_answered_by_a_stream(world: World) {
    for revision in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let client = world.client_of(revision, json!({})).await;
        let mut stream = client.open("tools/call", long_running(0.1, 4)).await.unwrap();
        assert_eq!(stream.headers["x-accel-buffering"], "no");
        assert!(
            stream.headers["cache-control"]
                .to_str()
                .unwrap()
                .contains("no-cache")
        );
        let events = stream.rest().await;
        let mut ids: Vec<_> = events
            .iter()
            .map(|event| event.id.clone().expect("every event has an id"))
            .collect();
        ids.dedup();
        assert_eq!(ids.len(), events.len());
        assert!(events.iter().all(|event| event.event.is_none()), "{events:?}");
        let messages: Vec<_> = events
            .iter()
            .filter(|event| !event.data.is_empty())
            .map(|event| event.json())
            .collect();
        assert_eq!(progress(&messages), [1, 2, 3, 4]);
        let answer = messages.last().unwrap();
        assert!(text(&answer["result"]).starts_with("Long running operation completed"));
        assert_eq!(messages.len(), 5);
    }
}

async fn streams_are_primed_in_the_newest_revision_only(world: World) {
    for (revision, primed) in [("2025-03-26", false), ("2025-06-18", false), ("2025-11-25", true)] {
        let client = world.client_of(revision, json!({})).await;
        let events = client
            .open("tools/call", long_running(0.0, 1))
            .await
            .unwrap()
            .rest()
            .await;
        assert_eq!(events[0].data.is_empty(), primed, "{revision}: {events:?}");
        assert!(events[1..].iter().all(|event| !event.data.is_empty()));
        // The standalone stream too: it begins with when to come back, and where from in the newest revision.
        let mut stream = client.get(None).await.unwrap();
        assert_eq!(stream.headers["x-accel-buffering"], "no");
        client.tool("gzipAsResource", json!({"data": "text"})).await;
        let first = stream.next().await.unwrap();
        assert!(
            first.data.is_empty() && first.retry.is_some(),
            "{revision}: {first:?}"
        );
        assert_eq!(first.id.is_some(), primed, "{revision}: {first:?}");
        let message = stream.next().await.unwrap();
        assert!(
            !message.data.is_empty() && message.id.is_some(),
            "{revision}: {message:?}"
        );
    }
}

async fn a_stream_carries_the_error_of_its_call(world: World) {
    let client = world.client_of("2025-11-25", json!({"sampling": {}})).await;
    let call = json!({"name": "sampleLLM", "arguments": {"prompt": "hello"}});
    let mut stream = client.open_as(json!(77), "tools/call", call).await.unwrap();
    let question = stream.wait_for("sampling/createMessage").await;
    client
        .respond_error(&question["id"], -1, "the user said no")
        .await
        .unwrap();
    let messages = stream.messages().await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["id"], 77);
    assert!(
        messages[0]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("the user said no")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quiet_streams_carry_comments() {
    let world = World::one_process(&[("SSE_KEEP_ALIVE_SECS", "0.1")]).await;
    let client = world.client().await;
    client.get(None).await.unwrap().comments(5).await;
    let mut call = client.open("tools/call", long_running(1.0, 2)).await.unwrap();
    call.comments(3).await;
    assert_eq!(progress(&call.messages().await), [1, 2]);
}
