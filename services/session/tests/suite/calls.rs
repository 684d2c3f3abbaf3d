//! Calls: their streams, their questions, and what becomes of them when their edge dies.

use everything_proto::session::v1::{
    AnswerRequest, CallTakenOver, CancelRequest, Drain, Entry, HandOverRequest, Session,
    connect_request::Message as In, connect_response::Message as Out, detached::Reason, event,
};
use tonic::Code;

use crate::{
    harness::{
        ALICE, Client, Edge, Stack, append, append_as, asking, last, message, open, open_repeatable, text,
    },
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
    repeatable_calls_of_a_dead_edge_go_to_another,
    an_edge_is_told_again_what_it_took_over,
    a_call_is_handed_over_to_an_edge_that_stays,
    without_another_edge_nothing_is_handed_over,
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
    let opened = append_as(
        "dying",
        &mut client,
        &session,
        "c",
        vec![open("dying"), message("progress")],
    )
    .await
    .unwrap();
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
                (call.edge_id.as_str(), &call.requests[0].request_id_json[..]),
                ("dying", &b"7"[..])
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
    let opened = append_as("moving", &mut client, &session, "c", vec![open("moving")])
        .await
        .unwrap();
    drop(first);
    let mut again = stack.edge(1, "moving").await;
    again.attached(1, &session, &opened[0]).await;
    // Well over the grace time.
    for n in 0..4 {
        assert!(again.leftovers(1).await.is_empty());
        append(&mut client, &session, "g", vec![message(&n.to_string())]).await;
    }
    append_as("moving", &mut client, &session, "c", vec![last("done")])
        .await
        .unwrap();
    assert_eq!(text(&again.event(1).await), "done");
}

async fn taken_over(edge: &mut Edge) -> CallTakenOver {
    edge.expect("a call", |out| match out {
        Out::CallTakenOver(taken) => Some(taken.clone()),
        _ => None,
    })
    .await
}

async fn repeatable_calls_of_a_dead_edge_go_to_another(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut client = stack.client(0);
    let dying = stack.edge(0, "dying").await;
    let progress = Entry {
        progress: Some(4.0),
        ..asking("?", "q")
    };
    let opened = append_as(
        "dying",
        &mut client,
        &session,
        "c",
        vec![open_repeatable("dying"), progress],
    )
    .await
    .unwrap();
    drop(dying);
    // No edge is there: it waits.
    let mut heir = stack.edge(1, "heir").await;
    let taken = taken_over(&mut heir).await;
    let call = taken.call.unwrap();
    assert_eq!(
        (taken.stream.as_str(), taken.session_id, taken.user_id.as_str()),
        ("c", session.session_id.clone(), ALICE)
    );
    assert_eq!(
        (call.edge_id.as_str(), call.client_id.as_str()),
        ("heir", "client")
    );
    assert_eq!((taken.progress, taken.asked), (Some(4.0), vec!["q".to_owned()]));
    // The edge was only slow.
    let late = append_as("dying", &mut client, &session, "c", vec![last("late")]).await;
    assert_eq!(late.unwrap_err().code(), Code::FailedPrecondition);
    append_as("heir", &mut client, &session, "c", vec![last("done")])
        .await
        .unwrap();
    heir.attached(1, &session, &opened[1]).await;
    assert_eq!(text(&heir.event(1).await), "done");
}

async fn an_edge_is_told_again_what_it_took_over(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut client = stack.client(0);
    append_as(
        "dying",
        &mut client,
        &session,
        "c",
        vec![open_repeatable("dying")],
    )
    .await
    .unwrap();
    drop(stack.edge(0, "dying").await);
    let mut heir = stack.edge(0, "heir").await;
    taken_over(&mut heir).await;
    drop(heir);
    let mut heir = stack.edge(1, "heir").await;
    assert_eq!(taken_over(&mut heir).await.stream, "c");
}

async fn a_call_is_handed_over_to_an_edge_that_stays(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut client = stack.client(0);
    let (leaving, mut staying) = (stack.edge(0, "leaving").await, stack.edge(1, "staying").await);
    append_as(
        "leaving",
        &mut client,
        &session,
        "c",
        vec![open_repeatable("leaving")],
    )
    .await
    .unwrap();
    leaving.say(In::Drain(Drain {})).await;
    assert!(hand_over(&mut client, &session, "leaving").await);
    assert_eq!(taken_over(&mut staying).await.stream, "c");
}

async fn without_another_edge_nothing_is_handed_over(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut client = stack.client(0);
    let _only = stack.edge(0, "one").await;
    append(&mut client, &session, "c", vec![open_repeatable("one")]).await;
    assert!(!hand_over(&mut client, &session, "one").await);
    append(&mut client, &session, "c", vec![last("done")]).await;
}

async fn hand_over(client: &mut Client, session: &Session, edge: &str) -> bool {
    let request = HandOverRequest {
        session_id: session.session_id.clone(),
        user_id: session.user_id.clone(),
        stream: "c".to_owned(),
        edge_id: edge.to_owned(),
    };
    client.hand_over(request).await.unwrap().into_inner().accepted
}
