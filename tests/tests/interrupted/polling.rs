//! Streams that the server ends before they are over (SEP-1699): the client comes back for the rest.

use super::world::{World, outcome, progress, slow, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_call_is_polled() {
    let world = World::with(&[("SSE_MAX_AGE_SECS", "0.3"), ("SSE_RETRY_MS", "50")]).await;
    let client = world.client().await;
    let mut stream = client.open("tools/call", slow("once", 30, 50)).await.unwrap();
    let mut events = stream.rest().await;
    let (mut polls, mut cursor) = (0, stream.last_event_id().to_owned());
    assert_eq!((events[0].retry, events[0].data.as_str()), (Some(50), ""));
    while !events.last().unwrap().data.contains("\"content\"") {
        assert_eq!(
            events.last().unwrap().retry,
            Some(50),
            "a stream that ends says when to come back"
        );
        polls += 1;
        let edge = if polls % 2 == 0 {
            client.clone()
        } else {
            world.elsewhere(&client)
        };
        let mut stream = edge.get(Some(&cursor)).await.unwrap();
        let mut rest = stream.rest().await;
        // It begins where the client is.
        assert_eq!(rest.remove(0).id.as_deref(), Some(cursor.as_str()));
        if rest.iter().any(|event| event.id.is_some()) {
            cursor = stream.last_event_id().to_owned();
        }
        events.extend(rest);
    }
    assert!(polls >= 2, "{polls}");
    assert_eq!(text(&outcome(&events)), "run 1");
    assert_eq!(progress(&events), (1..=30).collect::<Vec<_>>());
    // Whoever does not know to come back is left alone.
    let old = world.client_of("2025-06-18").await;
    let mut stream = old.open("tools/call", slow("once", 20, 50)).await.unwrap();
    text(&outcome(&stream.rest().await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_standalone_stream_is_polled_too() {
    let world = World::with(&[("SSE_MAX_AGE_SECS", "0.3")]).await;
    let client = world.client().await;
    let mut stream = client.get(None).await.unwrap();
    let events = stream.rest().await;
    assert!(events[0].id.is_some() && events[0].retry.is_some());
    assert!(events.last().unwrap().retry.is_some());
    client.get(Some(stream.last_event_id())).await.unwrap();
}
