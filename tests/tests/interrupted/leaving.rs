//! Parts that are asked to end (SIGTERM), one at a time, under load.

use std::time::Duration;

use tokio::time::Instant;

use super::world::{PATIENCE, World, assert_lost, messages, outcome, progress, slow, text, until_progress};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_an_edge_that_leaves_go_on_elsewhere() {
    let mut world = World::with(&[("DRAIN_TIMEOUT_SECS", "6")]).await;
    let client = world.client().await;
    let open = async |tool, steps| {
        let stream = client.open("tools/call", slow(tool, steps, 50)).await.unwrap();
        stream.with_deadline(PATIENCE)
    };
    // Two that end in time, one that does not, and one that is run again.
    let calls = [("once", 10), ("once", 25), ("once", 2_000), ("repeatable", 60)];
    let mut streams = Vec::new();
    for (tool, steps) in calls {
        streams.push(open(tool, steps).await);
    }
    let mut standalone = client.get(None).await.unwrap();
    standalone.next().await;
    let mut all = Vec::new();
    for stream in &mut streams {
        let mut events = Vec::new();
        until_progress(stream, 1, &mut events).await;
        all.push(events);
    }
    let asked = Instant::now();
    let leaving = world.stack.terminate("edge-0");
    let going_on = async {
        // A stream that only waits ends at once, and says when to come back.
        let rest = standalone.rest().await;
        assert!(rest.last().is_some_and(|event| event.retry.is_some()), "{rest:?}");
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        for (stream, events) in streams.iter_mut().zip(&mut all) {
            events.extend(stream.rest().await);
        }
    };
    let (left, ()) = tokio::join!(leaving, going_on);
    left.unwrap();
    let mut answers = Vec::new();
    for (stream, events) in streams.iter().zip(&mut all) {
        if !events.last().unwrap().data.contains("\"content\"") {
            assert!(events.last().unwrap().retry.is_some(), "{:?}", events.last());
            events.extend(world.resume(&client, stream.last_event_id()).await.rest().await);
        }
        answers.push(outcome(events));
    }
    text(&answers[0]);
    text(&answers[1]);
    assert_lost(&answers[2]);
    assert_eq!(text(&answers[3]), "run 2");
    let told: Vec<_> = messages(&all[3])
        .iter()
        .map(|message| message["params"].to_string())
        .collect();
    assert_eq!(progress(&all[3]), (1..=60).collect::<Vec<_>>(), "{told:#?}");
    assert_eq!(world.runs.once(), 3);
}

/// One edge, service or replica after the other: a client that resumes sees nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_is_invisible_to_clients_that_resume() {
    let mut world = World::with(&[("DRAIN_TIMEOUT_SECS", "4"), ("GRPC_DRAIN_MS", "1000")]).await;
    let client = world.client().await;
    let edges = [client.clone(), world.elsewhere(&client)];
    let stop = tokio_util::sync::CancellationToken::new();
    let mut following = tokio::task::JoinSet::new();
    for number in 0..4_usize {
        let (edges, stop) = (edges.clone(), stop.clone());
        following.spawn(async move {
            let mut calls = 0;
            while !stop.is_cancelled() {
                follow_a_call(&edges, number + calls).await;
                calls += 1;
            }
            calls
        });
    }
    for part in ["edge-0", "session-0", "edge-1", "session-1"] {
        world.stack.terminate(part).await.unwrap();
        world.stack.restart(part).unwrap();
        world.stack.is_ready().await.unwrap();
    }
    stop.cancel();
    let calls: usize = following.join_all().await.iter().sum();
    assert!(calls >= 4, "{calls} calls were too few to tell anything");
}

/// A call to its end, as a client follows it: on to another edge whenever a stream ends without an answer.
async fn follow_a_call(edges: &[system_tests::client::McpClient; 2], number: usize) {
    let deadline = Instant::now() + PATIENCE;
    let mut turn = number;
    let mut stream = loop {
        // An edge that is away refuses the connection; nothing was sent then.
        match edges[turn % 2]
            .open("tools/call", slow("repeatable", 30, 50))
            .await
        {
            Ok(stream) => break stream.with_deadline(PATIENCE),
            Err(error) => assert!(Instant::now() < deadline, "no edge takes a call: {error:#}"),
        }
        turn += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let mut events = Vec::new();
    loop {
        let resumed = !events.is_empty();
        let rest = stream.rest().await;
        events.extend(
            rest.into_iter()
                .filter(|event| !resumed || !event.data.is_empty()),
        );
        if events
            .last()
            .is_some_and(|event| event.data.contains("\"content\""))
        {
            break;
        }
        let cursor = events
            .iter()
            .rfind(|event| event.id.is_some())
            .and_then(|event| event.id.clone());
        let cursor = cursor.expect("a stream that ends has a cursor");
        stream = loop {
            turn += 1;
            match edges[turn % 2].get(Some(&cursor)).await {
                Ok(stream) => break stream.with_deadline(PATIENCE),
                Err(error) => assert!(Instant::now() < deadline, "no edge resumes: {error:#}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
    }
    text(&outcome(&events));
    assert_eq!(progress(&events), (1..=30).collect::<Vec<_>>());
}
