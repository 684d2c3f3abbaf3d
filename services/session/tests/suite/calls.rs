//! Calls: their streams, their questions, and what becomes of them when their edge dies.

use everything_proto::session::v1::{
    AnswerRequest, CancelRequest, connect_response::Message as Out, detached::Reason, event,
};

use crate::{
    harness::{ALICE, Stack, append, asking, last, message, open, text},
    on_both_stores,
};

on_both_stores!(
    a_call_stream_is_replayed_and_continues_anywhere,
    replay_is_exact_while_the_call_goes_on,
    cursors_are_checked,
    an_answer_reaches_the_edge_that_waits,
    an_answer_that_is_there_already_comes_at_once,
    a_cancellation_reaches_every_follower,
    calls_of_a_dead_edge_end_clearly,
    an_edge_that_comes_back_keeps_its_calls,
);

async fn a_call_stream_is_replayed_and_continues_anywhere(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut client = stack.client(0);
    let ids = append(
        &mut client,
        &session,
        "c1",
        vec![open("one"), message("1"), message("2")],
    )
    .await;
    append(&mut client, &session, "g", vec![message("elsewhere")]).await;
    let mut edge = stack.edge(1, "two").await;
    assert_eq!(edge.attached(5, &session, &ids[1]).await, ids[1]);
    let event = edge.event(5).await;
    assert_eq!(
        (text(&event).as_str(), &event.event_id, event.r#final),
        ("2", &ids[2], false)
    );
    let ids = append(&mut client, &session, "c1", vec![message("3"), last("4")]).await;
    assert_eq!(text(&edge.event(5).await), "3");
    let event = edge.event(5).await;
    assert_eq!(
        (text(&event).as_str(), &event.event_id, event.r#final),
        ("4", &ids[1], true)
    );

    // Once more from the middle, and from the end.
    edge.attached(6, &session, &ids[0]).await;
    assert!(edge.event(6).await.r#final);
    edge.attach(7, &session, &ids[1]).await;
    assert_eq!(edge.detached(7).await, Reason::StreamFinished);
    assert!(edge.leftovers(6).await.is_empty());
}

async fn replay_is_exact_while_the_call_goes_on(stack: Stack) {
    let session = stack.session(ALICE).await;
    let opened = append(&mut stack.client(0), &session, "c", vec![open("one")]).await;
    let expected: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    let writer = {
        let (mut client, session, expected) = (stack.client(0), session.clone(), expected.clone());
        tokio::spawn(async move {
            for (n, text) in expected.iter().enumerate() {
                let entry = if n == 299 { last(text) } else { message(text) };
                append(&mut client, &session, "c", vec![entry]).await;
            }
        })
    };
    // Many readers come at any time.
    let mut edges = [stack.edge(0, "a").await, stack.edge(1, "b").await];
    for round in 0..10 {
        for edge in &mut edges {
            edge.attached(round, &session, &opened[0]).await;
        }
    }
    for round in 0..10 {
        for edge in &mut edges {
            assert_eq!(edge.messages(round, 300).await, expected);
        }
    }
    writer.await.unwrap();
    for edge in &mut edges {
        assert!(edge.leftovers(0).await.is_empty());
    }
}

async fn cursors_are_checked(stack: Stack) {
    let session = stack.session(ALICE).await;
    let other = stack.session(ALICE).await;
    let mut client = stack.client(0);
    let own = append(&mut client, &session, "g", vec![message("1")]).await;
    let foreign = append(&mut client, &other, "c", vec![open("one"), message("1")]).await;
    let mut edge = stack.edge(1, "two").await;
    let moved = own[0].replace("g.", "c.");
    for cursor in [
        "garbage",
        "g.",
        "g.1",
        "g.1-2-3",
        "é.1-1",
        "c.0-1",
        "g.1-1",
        &foreign[0],
        &foreign[1],
        &moved,
    ] {
        edge.attach(1, &session, cursor).await;
        assert_eq!(edge.detached(1).await, Reason::CursorInvalid, "{cursor:?}");
    }
    edge.attached(2, &session, &own[0]).await;
    for n in 0..1_001 {
        append(&mut client, &session, "g", vec![message(&n.to_string())]).await;
    }
    edge.attach(3, &session, &own[0]).await;
    assert_eq!(edge.detached(3).await, Reason::CursorExpired);
}

fn answer(session: &everything_proto::session::v1::Session, request_id: &str) -> AnswerRequest {
    AnswerRequest {
        session_id: session.session_id.clone(),
        user_id: session.user_id.clone(),
        request_id: request_id.to_owned(),
        response_json: format!("{{\"to\":{request_id:?}}}").into(),
    }
}

async fn an_answer_reaches_the_edge_that_waits(stack: Stack) {
    let session = stack.session(ALICE).await;
    let (mut asking_edge, mut other) = (stack.edge(0, "one").await, stack.edge(1, "two").await);
    asking_edge.follow(&session, &["named"]).await;
    other.follow(&session, &[]).await;
    let mut client = stack.client(1);
    // One question of a call that the edge runs, and one that it named.
    append(&mut client, &session, "c", vec![open("one"), asking("?", "own")]).await;
    append(&mut client, &session, "g", vec![asking("?", "named")]).await;
    assert!(
        !client
            .answer(answer(&session, "unasked"))
            .await
            .unwrap()
            .into_inner()
            .accepted
    );
    for request_id in ["own", "named"] {
        assert!(
            client
                .answer(answer(&session, request_id))
                .await
                .unwrap()
                .into_inner()
                .accepted
        );
        let response = asking_edge
            .expect("the answer", |out| match out {
                Out::Answered(answered) if answered.request_id == request_id => {
                    Some(answered.response_json.clone())
                }
                _ => None,
            })
            .await;
        assert_eq!(response, format!("{{\"to\":{request_id:?}}}"));
        assert!(
            !client
                .answer(answer(&session, request_id))
                .await
                .unwrap()
                .into_inner()
                .accepted
        );
    }
}

async fn an_answer_that_is_there_already_comes_at_once(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut client = stack.client(1);
    append(&mut client, &session, "c", vec![open("one"), asking("?", "q")]).await;
    assert!(
        client
            .answer(answer(&session, "q"))
            .await
            .unwrap()
            .into_inner()
            .accepted
    );
    let mut edge = stack.edge(0, "one").await;
    edge.follow(&session, &["q"]).await;
    edge.expect("the answer", |out| {
        matches!(out, Out::Answered(answered) if answered.request_id == "q").then_some(())
    })
    .await;
}

async fn a_cancellation_reaches_every_follower(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut edges = [stack.edge(0, "one").await, stack.edge(1, "two").await];
    for edge in &mut edges {
        edge.follow(&session, &[]).await;
    }
    let cancel = CancelRequest {
        session_id: session.session_id.clone(),
        user_id: session.user_id.clone(),
        request_id_json: b"\"r1\"".as_slice().into(),
        reason: "bored".to_owned(),
    };
    stack.client(1).cancel(cancel).await.unwrap();
    // Also the edge that follows too late to hear it.
    let mut late = stack.edge(0, "late").await;
    late.follow(&session, &[]).await;
    for edge in edges.iter_mut().chain([&mut late]) {
        let cancelled = edge
            .expect("the cancellation", |out| match out {
                Out::Cancelled(cancelled) => Some(cancelled.clone()),
                _ => None,
            })
            .await;
        assert_eq!(
            (&cancelled.request_id_json[..], cancelled.reason.as_str()),
            (&b"\"r1\""[..], "bored")
        );
        assert_eq!(cancelled.session_id, session.session_id);
    }
}

async fn calls_of_a_dead_edge_end_clearly(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut client = stack.client(0);
    let dying = stack.edge(0, "dying").await;
    let opened = append(
        &mut client,
        &session,
        "c",
        vec![open("dying"), message("progress")],
    )
    .await;
    let mut watching = stack.edge(1, "watching").await;
    watching.attached(1, &session, &opened[0]).await;
    assert_eq!(text(&watching.event(1).await), "progress");
    drop(dying);
    let event = watching.event(1).await;
    assert!(event.r#final);
    match event.payload {
        Some(event::Payload::CallInterrupted(interrupted)) => {
            let call = interrupted.call.unwrap();
            assert_eq!(
                (call.edge_id.as_str(), &call.request_id_json[..], call.repeatable),
                ("dying", &b"7"[..], true)
            );
        }
        other => panic!("not an interruption: {other:?}"),
    }
    // Whoever comes later sees the same end, once.
    watching.attached(2, &session, &opened[1]).await;
    assert_eq!(watching.event(2).await.event_id, event.event_id);
    assert!(watching.leftovers(1).await.is_empty());
}

async fn an_edge_that_comes_back_keeps_its_calls(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut client = stack.client(0);
    let first = stack.edge(0, "moving").await;
    let opened = append(&mut client, &session, "c", vec![open("moving")]).await;
    drop(first);
    let mut again = stack.edge(1, "moving").await;
    again.attached(1, &session, &opened[0]).await;
    // Well over the grace time.
    for n in 0..4 {
        assert!(again.leftovers(1).await.is_empty());
        append(&mut client, &session, "g", vec![message(&n.to_string())]).await;
    }
    append(&mut client, &session, "c", vec![last("done")]).await;
    assert_eq!(text(&again.event(1).await), "done");
}
