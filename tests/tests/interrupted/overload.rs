//! What is too much is turned away with a clear answer, and hurts nobody else.

use super::world::{World, messages, outcome, slow};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_has_only_so_much_under_way() {
    let world = World::with(&[
        ("MAX_CALLS_PER_SESSION", "3"),
        ("MAX_CALLS_PER_USER", "5"),
        ("MAX_STREAMS_PER_SESSION", "2"),
        ("MAX_STREAMS_PER_USER", "3"),
    ])
    .await;
    let (one, two) = (world.client().await, world.client().await);
    let mut held = Vec::new();
    for client in [&one, &one, &one, &two, &two] {
        held.push(client.open("tools/call", slow("once", 400, 50)).await.unwrap());
    }
    // Of the session, then of the user.
    for client in [&one, &two] {
        let refused = client.request("tools/call", slow("once", 1, 1)).await.unwrap();
        assert_eq!(
            (refused.status, refused.error_code()),
            (429, -32600),
            "{}",
            refused.text()
        );
        assert_eq!(refused.headers["retry-after"], "1");
    }
    let mut streams = Vec::new();
    for client in [&one, &one, &two] {
        streams.push(client.get(None).await.unwrap());
    }
    for client in [&one, &two] {
        let refused = client.try_get(None).await.unwrap();
        assert_eq!(
            (refused.status, refused.error_code()),
            (429, -32600),
            "{}",
            refused.text()
        );
        assert_eq!(refused.headers["retry-after"], "1");
    }
    // A client that goes leaves its call behind, which still counts; one that cancels does not.
    let stream = held.remove(0);
    drop(stream);
    let still = one.request("tools/call", slow("once", 1, 1)).await.unwrap();
    assert_eq!(still.status, 429);
    one.delete().await.unwrap();
    let mut room = two.open("tools/call", slow("once", 1, 1)).await;
    for _ in 0..100 {
        if room.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        room = two.open("tools/call", slow("once", 1, 1)).await;
    }
    room.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stalls_holds_nobody_up() {
    let world = World::start().await;
    let stalled = world.client().await;
    let mut large = slow("once", 200, 0);
    large["arguments"]["bytes"] = 32_768.into();
    let mut stalling = stalled.open("tools/call", large).await.unwrap();
    let cursor = stalling.next().await.unwrap().id.unwrap();
    // Nobody reads `stalling` from here on, and many others go about their business.
    let mut others = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let client = world.client().await;
        others.spawn(async move {
            let mut stream = client
                .open("tools/call", slow("repeatable", 10, 5))
                .await
                .unwrap();
            outcome(&stream.rest().await);
        });
    }
    others.join_all().await;
    // What it missed is there when it reads again, on the same connection and on another.
    let late = messages(&stalling.rest().await);
    assert_eq!(late.len(), 200 * 2 + 1);
    assert!(late.last().unwrap()["result"].is_object());
    let again = messages(&world.resume(&stalled, &cursor).await.rest().await);
    assert_eq!(again, late);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_that_is_too_old_is_told_so() {
    let world = World::with(&[("SESSION_LOG_MAX_EVENTS", "20")]).await;
    let client = world.client().await;
    let mut stream = client.open("tools/call", slow("once", 30, 0)).await.unwrap();
    let events = stream.rest().await;
    outcome(&events);
    let edge = world.elsewhere(&client);
    let gone = edge.try_get(events[5].id.as_deref()).await.unwrap();
    assert_eq!((gone.status, gone.error_code()), (410, -32600), "{}", gone.text());
    // What is still kept comes whole.
    let kept = events[events.len() - 10].id.clone().unwrap();
    let rest = world.resume(&client, &kept).await.rest().await;
    assert_eq!(rest, events[events.len() - 9..]);
}
