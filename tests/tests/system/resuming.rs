//! A client comes back with `Last-Event-ID`, to whichever edge, and finds exactly what it missed.

use serde_json::{Value, json};
use system_tests::client::SseStream;

use super::world::{NEWEST, World, echo, long_running, on_both_stores, progress, text};

on_both_stores!(
    a_call_is_resumed_at_the_other_edge,
    a_call_goes_on_while_its_client_is_away,
    a_call_can_be_resumed_again_and_again,
    a_finished_call_can_be_read_again_from_any_of_its_events,
    the_standalone_stream_is_resumed_at_the_other_edge,
    what_happens_while_no_stream_is_open_comes_once_on_the_next,
    what_happens_before_the_first_stream_comes_once_on_it,
    a_cursor_that_is_none_is_refused,
    a_foreign_cursor_is_refused,
    a_question_that_was_missed_is_asked_again,
    a_lot_arrives_whole_live_and_resumed,
);

const LIST_CHANGED: &str = "notifications/resources/list_changed";

async fn a_call_is_resumed_at_the_other_edge(world: World) {
    for revision in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let client = world.client_of(revision, json!({})).await;
        let mut stream = client.open("tools/call", long_running(0.5, 10)).await.unwrap();
        let mut messages = Vec::new();
        for _ in 0..3 {
            messages.push(stream.message().await);
        }
        let cursor = stream.last_event_id().to_owned();
        drop(stream);
        let mut resumed = world.elsewhere(&client).get(Some(&cursor)).await.unwrap();
        messages.extend(resumed.messages().await);
        assert_eq!(progress(&messages), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "{revision}");
        assert_eq!(messages.len(), 11);
        assert!(text(&messages[10]["result"]).starts_with("Long running operation completed"));
    }
}

async fn a_call_goes_on_while_its_client_is_away(world: World) {
    let client = world.client().await;
    let mut stream = client.open("tools/call", long_running(0.3, 3)).await.unwrap();
    let cursor = stream.next().await.unwrap().id.unwrap();
    drop(stream);
    // Longer than the call takes.
    client
        .call(
            "tools/call",
            json!({"name": "longRunningOperation", "arguments": {"duration": 0.6, "steps": 1}}),
        )
        .await
        .unwrap();
    let messages = world
        .elsewhere(&client)
        .get(Some(&cursor))
        .await
        .unwrap()
        .messages()
        .await;
    assert_eq!(progress(&messages), [1, 2, 3]);
    assert!(messages.last().unwrap()["result"].is_object());
}

async fn a_call_can_be_resumed_again_and_again(world: World) {
    let client = world.client().await;
    let edges = [world.elsewhere(&client), client.clone()];
    let mut stream = client.open("tools/call", long_running(1.0, 12)).await.unwrap();
    let mut messages = Vec::new();
    for round in 0.. {
        match stream.next().await {
            Some(event) if event.data.is_empty() => continue,
            Some(event) => messages.push(event.json()),
            None => break,
        }
        if messages.last().unwrap().get("result").is_some() {
            break;
        }
        let cursor = stream.last_event_id().to_owned();
        drop(stream);
        stream = edges[round % 2].get(Some(&cursor)).await.unwrap();
    }
    assert_eq!(progress(&messages), (1..=12).collect::<Vec<_>>());
    assert_eq!(messages.len(), 13);
}

async fn a_finished_call_can_be_read_again_from_any_of_its_events(world: World) {
    let client = world.client().await;
    let events = client
        .open("tools/call", long_running(0.1, 4))
        .await
        .unwrap()
        .rest()
        .await;
    for (index, event) in events.iter().enumerate() {
        let other = world.elsewhere(&client);
        let id = event.id.as_deref();
        if index + 1 == events.len() {
            // Nothing follows the answer.
            let over = other.try_get(id).await.unwrap();
            assert_eq!((over.status, over.error_code()), (410, -32600));
            continue;
        }
        let rest = other.get(id).await.unwrap().rest().await;
        let rest: Vec<_> = rest.into_iter().filter(|event| !event.data.is_empty()).collect();
        assert_eq!(rest, events[index + 1..]);
    }
    assert!(client.call("tools/call", echo("still here")).await.is_ok());
}

async fn the_standalone_stream_is_resumed_at_the_other_edge(world: World) {
    let client = world.client().await;
    let mut stream = client.get(None).await.unwrap();
    client.tool("gzipAsResource", json!({"data": "one"})).await;
    let first = stream.message_event().await;
    assert_eq!(first.json()["method"], LIST_CHANGED);
    drop(stream);
    client.tool("gzipAsResource", json!({"data": "two"})).await;
    let other = world.elsewhere(&client);
    let mut stream = other.get(first.id.as_deref()).await.unwrap();
    let second = stream.message_event().await;
    assert_eq!(second.json()["method"], LIST_CHANGED);
    assert_ne!(first.id, second.id);
    drop(stream);
    // What was seen already comes again to one who says not to have seen it.
    let mut stream = client.get(first.id.as_deref()).await.unwrap();
    assert_eq!(stream.message_event().await, second);
    assert_nothing_waits(&mut stream, || {
        client.tool("gzipAsResource", json!({"data": "three"}))
    })
    .await;
}

async fn what_happens_while_no_stream_is_open_comes_once_on_the_next(world: World) {
    let client = world.client().await;
    let mut stream = client.get(None).await.unwrap();
    client.tool("gzipAsResource", json!({"data": "one"})).await;
    assert_eq!(stream.message().await["method"], LIST_CHANGED);
    drop(stream);
    // Many changes of one list are one thing to know.
    for data in ["two", "three", "four"] {
        client.tool("gzipAsResource", json!({"data": data})).await;
    }
    let other = world.elsewhere(&client);
    let mut stream = other.get(None).await.unwrap();
    assert_eq!(stream.message().await["method"], LIST_CHANGED);
    drop(stream);
    let mut stream = client.get(None).await.unwrap();
    assert_nothing_waits(&mut stream, || {
        client.tool("gzipAsResource", json!({"data": "five"}))
    })
    .await;
}

async fn what_happens_before_the_first_stream_comes_once_on_it(world: World) {
    let client = world.client().await;
    client.tool("gzipAsResource", json!({"data": "one"})).await;
    let mut stream = world.elsewhere(&client).get(None).await.unwrap();
    assert_eq!(stream.message().await["method"], LIST_CHANGED);
    assert_nothing_waits(&mut stream, || {
        client.tool("gzipAsResource", json!({"data": "two"}))
    })
    .await;
}

async fn a_cursor_that_is_none_is_refused(world: World) {
    let client = world.client().await;
    let events = client
        .open("tools/call", long_running(0.0, 2))
        .await
        .unwrap()
        .rest()
        .await;
    let real = events[0].id.clone().unwrap();
    let stream = real.split(['-', '.', ':', '_']).next().unwrap();
    let mut garbage: Vec<String> = [
        "x",
        "0",
        "-1",
        "g",
        "1-1-1-1",
        "../../etc/passwd",
        "%00",
        "*",
        "null",
        "{}",
    ]
    .map(str::to_owned)
    .to_vec();
    garbage.push(format!("{stream}-99999999999999999999999-1"));
    garbage.push(format!("{real}0000000000000000000000000000"));
    garbage.push(format!("{real}~{real}"));
    garbage.push("x".repeat(250));
    for cursor in &garbage {
        let refused = client.try_get(Some(cursor)).await.unwrap();
        assert_eq!(refused.status, 400, "{cursor:?}: {}", refused.text());
        assert_eq!(refused.error_code(), -32600);
    }
    assert!(client.get(Some(&real)).await.unwrap().next().await.is_some());
}

async fn a_foreign_cursor_is_refused(world: World) {
    let client = world.client().await;
    let events = client
        .open("tools/call", long_running(0.0, 2))
        .await
        .unwrap()
        .rest()
        .await;
    let cursor = events[0].id.as_deref();
    // Another session of the same user, and one of somebody else's.
    let other = world.client().await;
    assert_eq!(other.try_get(cursor).await.unwrap().status, 400);
    let bob = world.log_in("bob").await;
    let bobs = system_tests::client::McpClient::connect(&world.edge(0), NEWEST, json!({}), Some(&bob))
        .await
        .unwrap();
    assert_eq!(bobs.try_get(cursor).await.unwrap().status, 400);
    assert_eq!(
        client
            .with_token(Some(&bob))
            .try_get(cursor)
            .await
            .unwrap()
            .status,
        404
    );
}

async fn a_question_that_was_missed_is_asked_again(world: World) {
    let client = world.client_of(NEWEST, json!({"roots": {}})).await;
    let call = json!({"name": "getRoots", "arguments": {}});
    let mut stream = client.open("tools/call", call).await.unwrap();
    let priming = stream.next().await.unwrap();
    assert!(priming.data.is_empty());
    drop(stream);
    let other = world.elsewhere(&client);
    let mut stream = other.get(priming.id.as_deref()).await.unwrap();
    let question = stream.wait_for("roots/list").await;
    let roots = json!({"roots": [{"uri": "file:///home/alice", "name": "home"}]});
    assert_eq!(other.respond(&question["id"], roots).await.unwrap().status, 202);
    let messages = stream.messages().await;
    assert_eq!(messages.len(), 1);
    assert!(
        text(&messages[0]["result"]).contains("file:///home/alice"),
        "{messages:?}"
    );
}

async fn a_lot_arrives_whole_live_and_resumed(world: World) {
    const STEPS: u32 = 900;
    let client = world.client().await;
    let mut stream = client.open("tools/call", long_running(0.0, STEPS)).await.unwrap();
    let cursor = stream.next().await.unwrap().id;
    let live = stream.messages().await;
    assert_eq!(progress(&live), (1..=u64::from(STEPS)).collect::<Vec<_>>());
    let again = world
        .elsewhere(&client)
        .get(cursor.as_deref())
        .await
        .unwrap()
        .messages()
        .await;
    assert_eq!(again, live);
}

/// The next message on the stream is the one that is made now.
async fn assert_nothing_waits<F: Future<Output = Value>>(stream: &mut SseStream, make: impl FnOnce() -> F) {
    let waiting = stream.drain_for(std::time::Duration::from_millis(200)).await;
    let waiting: Vec<_> = waiting.iter().filter(|event| !event.data.is_empty()).collect();
    assert!(waiting.is_empty(), "{waiting:?}");
    make().await;
    assert_eq!(stream.message().await["method"], LIST_CHANGED);
}
