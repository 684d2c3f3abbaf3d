//! Several streams of one session at once: every message on exactly one of them, and on the right one.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use system_tests::client::{McpClient, SseStream};

use super::world::{World, long_running, on_both_stores, progress};

/// How long to listen for what must not come.
const QUIET: Duration = Duration::from_millis(300);

on_both_stores!(
    calls_at_once_have_a_stream_each,
    progress_arrives_on_its_calls_own_stream_whether_or_not_there_is_another,
    of_three_streams_exactly_one_gets_a_message,
    the_messages_move_on_when_their_stream_closes,
);

/// Makes one `notifications/resources/list_changed`.
async fn change_the_list(client: &McpClient) {
    client.tool("gzipAsResource", json!({"data": "text"})).await;
}

fn changes(messages: &[Value]) -> usize {
    messages
        .iter()
        .filter(|message| message["method"] == "notifications/resources/list_changed")
        .count()
}

async fn calls_at_once_have_a_stream_each(world: World) {
    let client = world.client().await;
    let clients = [client.clone(), world.elsewhere(&client)];
    let calls = (0..12).map(|number| {
        let client = clients[number % 2].clone();
        async move {
            let mut call = long_running(0.4, 8);
            call["_meta"]["progressToken"] = json!(number);
            let id = json!(format!("call {number}"));
            let messages = client
                .open_as(id.clone(), "tools/call", call)
                .await
                .unwrap()
                .messages()
                .await;
            assert_eq!(progress(&messages), [1, 2, 3, 4, 5, 6, 7, 8]);
            let (answer, before) = messages.split_last().unwrap();
            assert!(
                before
                    .iter()
                    .all(|message| message["params"]["progressToken"] == number)
            );
            assert_eq!(answer["id"], id);
            assert!(answer["result"].is_object());
        }
    });
    join_all(calls).await;
}

async fn progress_arrives_on_its_calls_own_stream_whether_or_not_there_is_another(world: World) {
    let client = world.client().await;
    let without = client
        .open("tools/call", long_running(0.1, 3))
        .await
        .unwrap()
        .messages()
        .await;
    assert_eq!(progress(&without), [1, 2, 3]);
    let mut standalone = world.elsewhere(&client).get(None).await.unwrap();
    let with = client
        .open("tools/call", long_running(0.1, 3))
        .await
        .unwrap()
        .messages()
        .await;
    assert_eq!(progress(&with), [1, 2, 3]);
    // The first message on the standalone stream is one that was made after all that.
    change_the_list(&client).await;
    assert_eq!(
        standalone.message().await["method"],
        "notifications/resources/list_changed"
    );
}

async fn of_three_streams_exactly_one_gets_a_message(world: World) {
    const MESSAGES: usize = 10;
    let client = world.client().await;
    let other = world.elsewhere(&client);
    let mut streams = vec![
        client.get(None).await.unwrap(),
        other.get(None).await.unwrap(),
        client.get(None).await.unwrap(),
    ];
    for _ in 0..MESSAGES {
        change_the_list(&client).await;
    }
    assert_eq!(arrivals(&mut streams, MESSAGES).await, MESSAGES);
    // And nothing comes again to a stream that is opened afterwards.
    streams.push(other.get(None).await.unwrap());
    assert_eq!(arrivals(&mut streams, 0).await, 0);
    change_the_list(&client).await;
    assert_eq!(arrivals(&mut streams, 1).await, 1);
}

async fn the_messages_move_on_when_their_stream_closes(world: World) {
    let client = world.client().await;
    let other = world.elsewhere(&client);
    let mut streams = vec![
        client.get(None).await.unwrap(),
        other.get(None).await.unwrap(),
        client.get(None).await.unwrap(),
    ];
    let mut cursor = String::new();
    while !streams.is_empty() {
        change_the_list(&client).await;
        if let Some(receiver) = receiver(&mut streams).await {
            streams.remove(receiver).last_event_id().clone_into(&mut cursor);
            continue;
        }
        // It was on its way to the stream that had just closed: whoever resumes that one has it.
        let mut resumed = other.get(Some(&cursor)).await.unwrap();
        assert_eq!(changes(&[resumed.message().await]), 1);
        resumed.last_event_id().clone_into(&mut cursor);
    }
}

/// Messages on all streams together, when there are as many as expected and it has been quiet since.
async fn arrivals(streams: &mut [SseStream], expected: usize) -> usize {
    let mut messages = Vec::new();
    for _ in 0..30 {
        let drained = join_all(streams.iter_mut().map(|stream| stream.drain_for(QUIET))).await;
        let before = messages.len();
        messages.extend(
            drained
                .concat()
                .iter()
                .filter(|event| !event.data.is_empty())
                .map(|event| event.json()),
        );
        if changes(&messages) >= expected && messages.len() == before {
            return changes(&messages);
        }
        if expected == 0 {
            return changes(&messages);
        }
    }
    changes(&messages)
}

/// The one stream that got the one message, if any did.
async fn receiver(streams: &mut [SseStream]) -> Option<usize> {
    for _ in 0..5 {
        let mut got = Vec::new();
        for (index, stream) in streams.iter_mut().enumerate() {
            let events = stream.drain_for(QUIET).await;
            if events.iter().any(|event| !event.data.is_empty()) {
                got.push(index);
            }
        }
        assert!(got.len() <= 1, "{got:?} all got it");
        if let Some(index) = got.first() {
            return Some(*index);
        }
    }
    None
}
