//! Edges that die, and edges that only seemed to.

use std::time::Duration;

use serde_json::json;
use system_tests::client::LegacyClient;
use tokio::time::{Instant, sleep};

use super::world::{PATIENCE, World, assert_lost, messages, outcome, progress, slow, text, until_progress};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeatable_call_is_run_again_by_another_edge() {
    let mut world = World::start().await;
    let client = world.client().await;
    let mut here = client
        .open("tools/call", slow("repeatable", 20, 50))
        .await
        .unwrap();
    let mut events = Vec::new();
    until_progress(&mut here, 3, &mut events).await;
    world.stack.kill_edge(0);
    events.extend(here.rest().await);
    let mut there = world.resume(&client, here.last_event_id()).await;
    events.extend(there.rest().await);
    assert_eq!(text(&outcome(&events)), "run 2");
    assert_eq!(progress(&events), (1..=20).collect::<Vec<_>>(), "a gap");
    assert_eq!(world.runs.repeatable(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_call_ends_in_one_clear_error() {
    let mut world = World::start().await;
    let client = world.client().await;
    let mut here = client.open("tools/call", slow("once", 200, 50)).await.unwrap();
    let mut events = Vec::new();
    until_progress(&mut here, 3, &mut events).await;
    let killed = Instant::now();
    world.stack.kill_edge(0);
    events.extend(here.rest().await);
    let mut there = world.resume(&client, here.last_event_id()).await;
    events.extend(there.rest().await);
    assert_lost(&outcome(&events));
    assert_eq!(world.runs.once(), 1);
    // 0.4 s of grace, a look every second, and what a busy machine adds.
    assert!(
        killed.elapsed() < Duration::from_secs(8),
        "{:?}",
        killed.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_was_logged_is_the_outcome() {
    let mut world = World::start().await;
    let client = world.client().await;
    for tool in ["repeatable", "once"] {
        let mut here = client.open("tools/call", slow(tool, 2, 10)).await.unwrap();
        let first = here.next().await.unwrap();
        here.rest().await;
        if tool == "once" {
            world.stack.kill_edge(0);
            // Long enough for the dead edge to be found.
            sleep(Duration::from_secs(2)).await;
        }
        let mut events = vec![first.clone()];
        events.extend(world.resume(&client, &first.id.unwrap()).await.rest().await);
        assert_eq!(text(&outcome(&events)), "run 1");
    }
    assert_eq!((world.runs.repeatable(), world.runs.once()), (1, 1));
}

/// The edge was only stopped: what it says when it comes back is too late, and the client that it still has is told what
/// everybody is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_comes_back_makes_no_second_outcome() {
    let world = World::start().await;
    for (tool, steps) in [("repeatable", 60), ("once", 60)] {
        let client = world.client().await;
        let mut here = client
            .open("tools/call", slow(tool, steps, 50))
            .await
            .unwrap()
            .with_deadline(PATIENCE);
        let mut before = Vec::new();
        until_progress(&mut here, 3, &mut before).await;
        world.stack.signal("edge-0", "STOP").unwrap();
        let stopped = Instant::now();
        let mut there = world
            .resume(&client, before.last().unwrap().id.as_deref().unwrap())
            .await;
        let mut elsewhere = before.clone();
        elsewhere.extend(there.rest().await);
        sleep(Duration::from_secs(5).saturating_sub(stopped.elapsed())).await;
        world.stack.signal("edge-0", "CONT").unwrap();
        let mut on_the_old_connection = before;
        on_the_old_connection.extend(here.rest().await);
        let answer = outcome(&elsewhere);
        assert_eq!(answer, outcome(&on_the_old_connection));
        match tool {
            "repeatable" => assert_eq!(text(&answer), "run 2"),
            _ => assert_lost(&answer),
        }
        // And whoever reads it once more finds the same.
        let first = elsewhere[0].id.clone().unwrap();
        let again = world.resume(&client, &first).await.rest().await;
        assert_eq!(messages(&again), messages(&elsewhere));
    }
}

/// A call that only waits, for its client or for its tool, logs nothing that would be refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_call_of_an_edge_that_comes_back_has_its_outcome_on_the_old_connection() {
    let world = World::start().await;
    for tool in ["repeatable", "once"] {
        let client = world.client().await;
        let mut call = slow(tool, 5, 50);
        call["arguments"]["stalls_after"] = json!(3);
        let mut here = client
            .open("tools/call", call)
            .await
            .unwrap()
            .with_deadline(PATIENCE);
        let mut events = Vec::new();
        until_progress(&mut here, 3, &mut events).await;
        world.stack.signal("edge-0", "STOP").unwrap();
        // The other edge, or nobody, has the call once its outcome is there.
        let cursor = events.last().unwrap().id.clone().unwrap();
        let elsewhere = world.resume(&client, &cursor).await.rest().await;
        world.stack.signal("edge-0", "CONT").unwrap();
        let on_the_old_connection = here.rest().await;
        let answer = outcome(&elsewhere);
        assert_eq!(answer, outcome(&on_the_old_connection));
        match tool {
            "repeatable" => assert_eq!(text(&answer), "run 2"),
            _ => assert_lost(&answer),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_the_old_transport_have_an_outcome_too() {
    let mut world = World::start().await;
    let mut client = LegacyClient::connect(&world.stack.edge_url(0, "/sse"), json!({}), None)
        .await
        .unwrap();
    for (id, tool) in [(100, "repeatable"), (101, "once")] {
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": slow(tool, 20, 50)});
        assert_eq!(client.post(&call).await.unwrap().status, 202);
    }
    let mut events = Vec::new();
    until_progress(&mut client.stream, 3, &mut events).await;
    world.stack.kill_edge(0);
    events.extend(client.stream.rest().await);
    let cursor = client.stream.last_event_id().to_owned();
    let mut client = LegacyClient::open(&world.stack.edge_url(1, "/sse"), None, Some(&cursor))
        .await
        .unwrap();
    client.stream = client.stream.with_deadline(PATIENCE);
    let mut answers = Vec::new();
    while answers.len() < 2 {
        let message = client.stream.message().await;
        if message.get("method").is_none() {
            answers.push(message);
        }
    }
    answers.sort_by_key(|answer| answer["id"].as_i64());
    assert_eq!(text(&answers[0]), "run 2");
    assert_lost(&answers[1]);
    let more = client.stream.drain_for(Duration::from_millis(500)).await;
    assert!(messages(&more).is_empty(), "{more:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_of_a_batch_has_an_outcome() {
    let mut world = World::start().await;
    let client = world.client_of("2025-03-26").await;
    let request =
        |id: i64, params| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
    let batch = json!([
        request(100, slow("once", 4, 50)),
        request(101, slow("once", 200, 50)),
        request(102, slow("repeatable", 200, 50)),
    ]);
    let mut here = client.open_post(&batch).await.unwrap();
    let mut events = Vec::new();
    loop {
        let event = here.next().await.unwrap();
        let answered = !event.data.is_empty() && event.json()["id"] == 100;
        events.push(event);
        if answered {
            break;
        }
    }
    world.stack.kill_edge(0);
    events.extend(here.rest().await);
    events.extend(world.resume(&client, here.last_event_id()).await.rest().await);
    let last = messages(&events).pop().unwrap();
    let lost: Vec<_> = last
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| answer["id"].as_i64())
        .collect();
    assert_eq!(lost, [Some(101), Some(102)]);
    last.as_array().unwrap().iter().for_each(assert_lost);
    assert_eq!(world.runs.repeatable(), 1);
}
