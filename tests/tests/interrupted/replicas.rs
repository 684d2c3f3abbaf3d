//! Replicas behind the edges that die under a call.

use super::world::{World, assert_lost, outcome, progress, slow, text, until_progress};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeatable_call_outlives_its_feature_replica() {
    let mut world = World::start().await;
    let client = world.client().await;
    let mut stream = client
        .open("tools/call", slow("repeatable", 40, 50))
        .await
        .unwrap();
    let mut events = Vec::new();
    until_progress(&mut stream, 3, &mut events).await;
    // Whichever of the two runs it: one after the other dies.
    world.features[0] = None;
    until_progress(&mut stream, 6, &mut events).await;
    world.restart_feature(0).await;
    until_progress(&mut stream, 9, &mut events).await;
    world.features[1] = None;
    events.extend(stream.rest().await);
    let answer = outcome(&events);
    assert!(world.runs.repeatable() >= 2);
    assert_eq!(text(&answer), format!("run {}", world.runs.repeatable()));
    assert_eq!(progress(&events), (1..=40).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_call_ends_in_one_clear_error() {
    let mut world = World::start().await;
    let client = world.client().await;
    let mut stream = client.open("tools/call", slow("once", 200, 50)).await.unwrap();
    let mut events = Vec::new();
    until_progress(&mut stream, 3, &mut events).await;
    world.features.clear();
    events.extend(stream.rest().await);
    assert_lost(&outcome(&events));
    assert_eq!(world.runs.once(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_on_without_a_gap_when_a_session_replica_dies() {
    let mut world = World::start().await;
    let client = world.client().await;
    for replica in ["session-0", "session-1"] {
        let mut stream = client.open("tools/call", slow("once", 60, 20)).await.unwrap();
        let mut events = Vec::new();
        until_progress(&mut stream, 5, &mut events).await;
        world.stack.kill(replica).unwrap();
        until_progress(&mut stream, 30, &mut events).await;
        world.stack.restart(replica).unwrap();
        events.extend(stream.rest().await);
        text(&outcome(&events));
        assert_eq!(progress(&events), (1..=60).collect::<Vec<_>>(), "a gap");
        // And the log holds the same.
        let first = events[0].id.clone().unwrap();
        let again = world.resume(&client, &first).await.rest().await;
        assert_eq!(progress(&again), progress(&events));
    }
    assert_eq!(world.runs.once(), 2);
}
