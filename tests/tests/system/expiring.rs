//! A session that nobody uses goes away by itself, and one that is used does not.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, interval};

use super::world::{World, eventually, long_running, progress, text};

const TTL: &[(&str, &str)] = &[("SESSION_TTL", "1")];
/// Longer than a session lives unused.
const LONG: Duration = Duration::from_millis(2_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unused_session_expires_with_all_its_keys() {
    let world = World::two_processes(TTL).await;
    let client = world.client().await;
    let other = world.elsewhere(&client);
    client.tool("gzipAsResource", json!({"data": "text"})).await;
    client
        .open("tools/call", long_running(0.0, 2))
        .await
        .unwrap()
        .messages()
        .await;
    drop(other.get(None).await.unwrap());
    assert!(!world.keys_of(client.session_id()).await.is_empty());
    eventually("its keys go", async || {
        world.keys_of(client.session_id()).await.is_empty()
    })
    .await;
    for client in [&client, &other] {
        let unknown = client.with_session(Some("unknown"));
        let expired = client.request_as(json!(1), "ping", json!({})).await.unwrap();
        assert_eq!(expired.status, 404);
        assert_eq!(
            expired.text(),
            unknown
                .request_as(json!(1), "ping", json!({}))
                .await
                .unwrap()
                .text()
        );
        assert_eq!(client.try_get(None).await.unwrap().status, 404);
        assert_eq!(client.delete().await.unwrap().status, 404);
    }
    // Looking for it did not bring it back.
    assert!(world.keys_of(client.session_id()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unused_session_expires_in_memory_too() {
    let world = World::one_process(TTL).await;
    let (client, witness) = (world.client().await, world.client().await);
    let mut witnesses = witness.get(None).await.unwrap();
    // Nobody asks for it meanwhile.
    witnesses.drain_for(LONG).await;
    assert_eq!(client.request("ping", json!({})).await.unwrap().status, 404);
    assert_eq!(witness.request("ping", json!({})).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_used_lives_on() {
    let world = World::two_processes(TTL).await;
    let client = world.client().await;
    let edges = [client.clone(), world.elsewhere(&client)];
    let until = Instant::now() + LONG;
    let mut uses = interval(Duration::from_millis(250));
    for turn in 0.. {
        uses.tick().await;
        let used = edges[turn % 2].request("ping", json!({})).await.unwrap();
        assert_eq!(used.status, 200, "at use {turn}");
        if Instant::now() > until {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_with_an_open_stream_lives_on() {
    let world = World::two_processes(TTL).await;
    let client = world.client().await;
    let mut stream = client.get(None).await.unwrap();
    stream.drain_for(LONG).await;
    assert_eq!(
        world
            .elsewhere(&client)
            .request("ping", json!({}))
            .await
            .unwrap()
            .status,
        200
    );
    client.tool("gzipAsResource", json!({"data": "text"})).await;
    stream.wait_for("notifications/resources/list_changed").await;
    // Without it, it goes.
    drop(stream);
    eventually("its keys go", async || {
        world.keys_of(client.session_id()).await.is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_with_a_running_call_lives_on() {
    let world = World::two_processes(TTL).await;
    let client = world.client().await;
    let with_progress = client
        .open("tools/call", long_running(LONG.as_secs_f64(), 2))
        .await
        .unwrap();
    let call =
        json!({"name": "longRunningOperation", "arguments": {"duration": LONG.as_secs_f64(), "steps": 1}});
    let quiet = client.request("tools/call", call).await.unwrap();
    assert_eq!(quiet.status, 200, "{}", quiet.text());
    assert!(text(&quiet.result().unwrap()).starts_with("Long running operation completed"));
    let mut with_progress = with_progress;
    let messages = with_progress.messages().await;
    assert_eq!(progress(&messages), [1, 2]);
    assert!(messages.last().unwrap()["result"].is_object(), "{messages:?}");
    assert_eq!(client.request("ping", json!({})).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_legacy_session_lives_as_long_as_its_stream() {
    let world = World::two_processes(TTL).await;
    let mut legacy = world.legacy(json!({})).await;
    legacy.stream.drain_for(LONG).await;
    legacy.post_at(&world.legacy_edge(1)).unwrap();
    assert_eq!(legacy.call("ping", json!({})).await, Ok(json!({})));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_legacy_session_expires() {
    let world = World::two_processes(TTL).await;
    let legacy = world.legacy(json!({})).await;
    let session_id = legacy.session_id().to_owned();
    assert!(!world.keys_of(&session_id).await.is_empty());
    drop(legacy);
    eventually("its keys go", async || {
        world.keys_of(&session_id).await.is_empty()
    })
    .await;
}
