//! Streams that break, come back, are many, or are not there.

use std::{collections::HashSet, time::Duration};

use serde_json::json;
use system_tests::Stack;

use super::{
    faults::until,
    wire::{Event, Events, NEWEST, Session},
};

async fn stack() -> (Stack, Session, Session) {
    let stack = Stack::builder()
        .in_process()
        .redis()
        .edges(2)
        .auth_disabled()
        .start()
        .await
        .unwrap();
    let here = Session::begin(&stack.edge_url(0, ""), None, NEWEST).await;
    let there = here.at(&stack.edge_url(1, ""));
    (stack, here, there)
}

async fn steps(session: &Session, duration: f64, steps: u32) -> Events {
    let params = json!({ "name": "longRunningOperation", "arguments": { "duration": duration, "steps": steps },
        "_meta": { "progressToken": "p" } });
    session.open(session.call("call", "tools/call", params)).await
}

/// Progress by number; the result is `u64::MAX`.
fn number(event: &Event) -> u64 {
    let message: serde_json::Value = serde_json::from_str(&event.data).unwrap();
    if message["id"] == "call" {
        assert!(message["result"].is_object(), "{message}");
        return u64::MAX;
    }
    message["params"]["progress"]
        .as_u64()
        .unwrap_or_else(|| panic!("{message}"))
}

/// Reference failure 1: a client drops its POST. The call goes on; nobody else notices; another edge has the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_drops_its_call_finds_the_rest_at_another_edge() {
    let (_stack, here, there) = stack().await;
    let mut call = steps(&here, 2.0, 20).await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    while seen.len() < 4 {
        let event = call.next().await.unwrap();
        cursor = event.id.clone().unwrap();
        if !event.data.is_empty() {
            seen.push(number(&event));
        }
    }
    drop(call);
    here.echoes().await.unwrap();
    // Dropped again and again, at one edge and the other.
    for session in [&there, &here, &there] {
        let mut rest = session.resume(&cursor).await;
        for _ in 0..4 {
            let event = loop {
                let event = rest.next().await.unwrap();
                if !event.data.is_empty() {
                    break event;
                }
            };
            cursor = event.id.clone().unwrap();
            seen.push(number(&event));
        }
    }
    let mut rest = here.resume(&cursor).await;
    while let Some(event) = rest.next().await {
        if !event.data.is_empty() {
            seen.push(number(&event));
        }
    }
    let expected: Vec<u64> = (1..=20).chain([u64::MAX]).collect();
    assert_eq!(seen, expected);
    here.is_well().await.unwrap();
}

/// Reference failure 1, many times over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_dropped_calls_harm_nobody() {
    let (_stack, here, _) = stack().await;
    for number in 0..100 {
        let params = json!({ "name": "longRunningOperation", "arguments": { "duration": 0.3, "steps": 1 } });
        let request = here.call(format!("dropped-{number}"), "tools/call", params);
        let client = here.client.clone();
        let origin = here.origin.clone();
        let call = tokio::spawn(async move { request.send(&client, &origin).await });
        tokio::time::sleep(Duration::from_millis(3)).await;
        call.abort();
    }
    until("room for more", Duration::from_secs(10), || async {
        here.echoes().await.map_err(|answer| format!("{answer:?}"))
    })
    .await;
}

/// Reference failure 12: progress without any other stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_progress_arrives_on_the_calls_own_stream() {
    let (_stack, here, _) = stack().await;
    let mut call = steps(&here, 0.5, 50).await;
    let mut seen = Vec::new();
    while let Some(event) = call.next().await {
        if !event.data.is_empty() {
            seen.push(number(&event));
        }
    }
    let expected: Vec<u64> = (1..=50).chain([u64::MAX]).collect();
    assert_eq!(seen, expected);
}

const SUBSCRIBED: &str = "test://static/resource/1";

async fn subscribe(session: &Session) {
    let answer = session
        .send(session.call(1, "resources/subscribe", json!({ "uri": SUBSCRIBED })))
        .await;
    assert_eq!(answer.message()["result"], json!({}), "{answer:?}");
}

/// A stack whose resources change all the time.
async fn changing() -> Stack {
    Stack::builder()
        .processes()
        .redis()
        .edges(2)
        .auth_disabled()
        .setting("RESOURCE_UPDATE_PERIOD_MS", "200")
        .setting("RANDOM_LOG_PERIOD_MS", "3600000")
        .setting("STDERR_PERIOD_MS", "3600000")
        .start()
        .await
        .unwrap()
}

/// The ids of the updates that come until there are `count`.
async fn updates(events: &mut Events, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let event = events.next().await.expect("the stream goes on");
        if event.data.contains("notifications/resources/updated") {
            ids.push(event.id.unwrap());
        }
    }
    ids
}

/// Reference failure 11: what came before the first GET, and while it was gone, arrives once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_wait_for_the_stream_and_come_once() {
    let stack = changing().await;
    let observer = Session::begin(&stack.edge_url(1, ""), None, NEWEST).await;
    let absent = Session::begin(&stack.edge_url(0, ""), None, NEWEST).await;
    let mut watching = observer.listen().await;
    subscribe(&observer).await;
    subscribe(&absent).await;
    // One has seen three updates before the other looks for the first time.
    let mut total = updates(&mut watching, 3).await.len();
    let mut listening = absent.listen().await;
    let mut seen = updates(&mut listening, 2).await;
    drop(listening);
    total += updates(&mut watching, 5).await.len();
    let mut resumed = absent
        .at(&stack.edge_url(1, ""))
        .resume(seen.last().unwrap())
        .await;
    while seen.len() < total {
        seen.extend(updates(&mut resumed, 1).await);
    }
    let distinct: HashSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len(), "some came twice: {seen:?}");
    // What was missed came at once: the one that was away is not behind.
    let next = updates(&mut watching, 2).await.len() + total;
    assert!(
        next <= seen.len() + 6,
        "{next} updates, but only {} for who was away",
        seen.len()
    );
}

/// Reference failure 14: three streams on one session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_notification_is_on_exactly_one_stream() {
    let stack = changing().await;
    let session = Session::begin(&stack.edge_url(0, ""), None, NEWEST).await;
    let other = session.at(&stack.edge_url(1, ""));
    let streams = [
        session.listen().await,
        other.listen().await,
        session.listen().await,
    ];
    subscribe(&session).await;
    let collecting = streams.map(|mut stream| {
        tokio::spawn(async move {
            let mut ids = Vec::new();
            let deadline = tokio::time::Instant::now() + Duration::from_secs(2);
            while let Ok(Some(event)) = tokio::time::timeout_at(deadline, stream.next()).await {
                if event.data.contains("notifications/resources/updated") {
                    ids.push(event.id.unwrap());
                }
            }
            ids
        })
    });
    let mut all = Vec::new();
    for ids in collecting {
        all.extend(ids.await.unwrap());
    }
    let distinct: HashSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "some came twice: {all:?}");
    assert!(all.len() >= 3, "hardly any came: {all:?}");
}
