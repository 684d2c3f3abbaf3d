//! A client gives a request up, at whichever edge, and ids that are in use.

use std::time::Duration;

use serde_json::json;
use system_tests::client::SseStream;
use tokio::time::Instant;

use super::world::{NEWEST, World, echo, long_running, on_both_stores, progress, text};

on_both_stores!(
    a_call_is_cancelled_from_the_other_edge,
    a_cancelled_call_stays_silent_also_for_one_who_resumes,
    a_call_that_waits_for_an_answer_is_cancelled,
    a_call_without_a_stream_is_cancelled,
    cancelling_what_is_not_under_way_does_nothing,
    an_id_in_flight_is_refused,
    an_id_that_is_done_can_be_used_again,
);

/// Design: a cancelled tool stops within this time.
const STOPS_WITHIN: Duration = Duration::from_millis(100);
/// A busy machine may miss it now and then; a server that is slow misses it every time.
const TRIES: usize = 20;

/// Everything after the cancellation, and how long it took the stream to end.
async fn rest_after(mut stream: SseStream, cancelled: Instant) -> (Vec<serde_json::Value>, Duration) {
    let messages = stream.messages().await;
    (messages, cancelled.elapsed())
}

async fn a_call_is_cancelled_from_the_other_edge(world: World) {
    let client = world.client().await;
    let other = world.elsewhere(&client);
    let mut fastest = Duration::MAX;
    for number in 0..TRIES {
        let id = json!(format!("call {number}"));
        let mut stream = client
            .open_as(id.clone(), "tools/call", long_running(60.0, 600))
            .await
            .unwrap();
        stream.wait_for("notifications/progress").await;
        let cancelled = Instant::now();
        let taken = other
            .notify(
                "notifications/cancelled",
                json!({"requestId": id, "reason": "a test"}),
            )
            .await;
        assert_eq!(taken.unwrap().status, 202);
        let (messages, took) = rest_after(stream, cancelled).await;
        // No answer, only what was on its way.
        assert!(
            messages
                .iter()
                .all(|message| message["method"] == "notifications/progress"),
            "{messages:?}"
        );
        fastest = fastest.min(took);
        if fastest < STOPS_WITHIN {
            return;
        }
    }
    panic!("the fastest cancellation took {fastest:?}");
}

async fn a_cancelled_call_stays_silent_also_for_one_who_resumes(world: World) {
    let client = world.client().await;
    let mut stream = client
        .open_as(json!("call"), "tools/call", long_running(60.0, 600))
        .await
        .unwrap();
    let first = stream.message_event().await;
    client
        .notify("notifications/cancelled", json!({"requestId": "call"}))
        .await
        .unwrap();
    let rest = stream.messages().await;
    drop(stream);
    let again = world
        .elsewhere(&client)
        .get(first.id.as_deref())
        .await
        .unwrap()
        .messages()
        .await;
    // What was being logged when the call was cancelled may be in the log alone.
    assert!(again.starts_with(&rest), "{rest:?}, then {again:?}");
    assert_eq!(progress(&again).len(), again.len());
}

async fn a_call_that_waits_for_an_answer_is_cancelled(world: World) {
    let client = world.client_of(NEWEST, json!({"sampling": {}})).await;
    let call = json!({"name": "sampleLLM", "arguments": {"prompt": "hello"}});
    let mut stream = client.open_as(json!(7), "tools/call", call).await.unwrap();
    let question = stream.wait_for("sampling/createMessage").await;
    world
        .elsewhere(&client)
        .notify("notifications/cancelled", json!({"requestId": 7}))
        .await
        .unwrap();
    assert_eq!(stream.messages().await, Vec::<serde_json::Value>::new());
    // The answer comes too late, which is no fault of the client's.
    assert_eq!(
        client.respond(&question["id"], json!({})).await.unwrap().status,
        202
    );
}

async fn a_call_without_a_stream_is_cancelled(world: World) {
    let client = world.client().await;
    // Says nothing before its answer.
    let call = json!({"name": "longRunningOperation", "arguments": {"duration": 60, "steps": 1}});
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.request_as(json!("quiet"), "tools/call", call).await }
    });
    let other = world.elsewhere(&client);
    super::world::eventually("the call ends", async || {
        other
            .notify("notifications/cancelled", json!({"requestId": "quiet"}))
            .await
            .unwrap();
        waiting.is_finished()
    })
    .await;
    let response = waiting.await.unwrap().unwrap();
    assert!(response.messages().is_empty(), "{}", response.text());
}

async fn cancelling_what_is_not_under_way_does_nothing(world: World) {
    let client = world.client().await;
    let mut stream = client
        .open_as(json!("1"), "tools/call", long_running(0.3, 3))
        .await
        .unwrap();
    for id in [json!(1), json!("2"), json!("")] {
        assert_eq!(
            client
                .notify("notifications/cancelled", json!({"requestId": id}))
                .await
                .unwrap()
                .status,
            202
        );
    }
    // Nor does anybody else's session reach it.
    let another = world.client().await;
    another
        .notify("notifications/cancelled", json!({"requestId": "1"}))
        .await
        .unwrap();
    assert_eq!(progress(&stream.messages().await), [1, 2, 3]);
}

async fn an_id_in_flight_is_refused(world: World) {
    let client = world.client().await;
    for id in [json!(5), json!("five")] {
        let mut first = client
            .open_as(id.clone(), "tools/call", long_running(0.5, 5))
            .await
            .unwrap();
        first.message().await;
        let second = client
            .request_as(id.clone(), "tools/call", echo("second"))
            .await
            .unwrap();
        assert_eq!((second.status, second.error_code()), (400, -32600));
        assert_eq!(second.json()["id"], id);
        assert!(second.text().contains("in flight"), "{}", second.text());
        let messages = first.messages().await;
        assert_eq!(progress(&messages), [2, 3, 4, 5]);
        assert!(messages.last().unwrap()["result"].is_object());
    }
    // A number and a string are two ids, and so are those of two sessions.
    let mut first = client
        .open_as(json!(6), "tools/call", long_running(0.3, 3))
        .await
        .unwrap();
    first.message().await;
    assert_eq!(
        client
            .request_as(json!("6"), "ping", json!({}))
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        world
            .client()
            .await
            .request_as(json!(6), "ping", json!({}))
            .await
            .unwrap()
            .status,
        200
    );
}

async fn an_id_that_is_done_can_be_used_again(world: World) {
    let client = world.client().await;
    for number in 0..3 {
        let response = client
            .request_as(json!(1), "tools/call", echo(&number.to_string()))
            .await
            .unwrap();
        assert_eq!(text(&response.result().unwrap()), format!("Echo: {number}"));
    }
    let mut stream = client
        .open_as(json!(1), "tools/call", long_running(60.0, 600))
        .await
        .unwrap();
    stream.message().await;
    client
        .notify("notifications/cancelled", json!({"requestId": 1}))
        .await
        .unwrap();
    stream.messages().await;
    assert_eq!(
        client
            .request_as(json!(1), "ping", json!({}))
            .await
            .unwrap()
            .status,
        200
    );
}
