//! The stream of the standalone GET: each message on exactly one attachment.

use std::collections::BTreeMap;

use everything_proto::session::v1::{Event, connect_response::Message as Out};

use tokio::time::Instant;

use crate::{
    harness::{ALICE, Edge, PATIENCE, Stack, append, message, text},
    on_both_stores,
};

on_both_stores!(
    what_came_before_the_first_attachment_is_delivered_once,
    three_attachments_get_each_message_once,
    another_attachment_takes_over,
    the_stream_goes_to_and_fro_and_each_message_comes_once,
    what_reached_no_client_goes_to_the_next,
    a_returning_client_gets_what_it_missed,
    a_replaced_attachment_number_starts_anew,
    an_edge_that_does_not_read_holds_nobody_up,
);

async fn what_came_before_the_first_attachment_is_delivered_once(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut client = stack.client(0);
    append(&mut client, &session, "g", vec![message("1"), message("2")]).await;
    let mut edge = stack.edge(1, "one").await;
    assert_eq!(edge.attached(1, &session, "").await, "g.0-0");
    assert_eq!(edge.messages(1, 2).await, ["1", "2"]);
    edge.detach(1, &session).await;
    append(&mut client, &session, "g", vec![message("3")]).await;
    edge.attached(2, &session, "").await;
    assert_eq!(edge.messages(2, 1).await, ["3"]);
    assert!(edge.leftovers(2).await.is_empty());
}

async fn three_attachments_get_each_message_once(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut edges = [stack.edge(0, "one").await, stack.edge(1, "two").await];
    edges[0].attached(1, &session, "").await;
    edges[1].attached(2, &session, "").await;
    edges[0].attached(3, &session, "").await;
    let mut client = stack.client(1);
    for n in 0..50 {
        append(&mut client, &session, "g", vec![message(&n.to_string())]).await;
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let [one, two] = &mut edges;
    for event in everything(one).await.into_iter().chain(everything(two).await) {
        *seen.entry(text(&event)).or_default() += 1;
    }
    assert_eq!(seen.len(), 50);
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
}

/// Every event on the link until nothing more comes.
async fn everything(edge: &mut Edge) -> Vec<Event> {
    let mut all = edge.leftovers(1).await;
    all.extend(edge.leftovers(2).await);
    all.extend(edge.leftovers(3).await);
    all
}

async fn what_reached_no_client_goes_to_the_next(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut edge = stack.edge(0, "one").await;
    edge.attached(1, &session, "").await;
    let texts = ["1", "2", "3"].map(message).to_vec();
    append(&mut stack.client(0), &session, "g", texts).await;
    assert_eq!(edge.messages(1, 1).await, ["1"]);
    // The others are at the edge by now, and stay there.
    assert_eq!(edge.leftovers(1).await.len(), 2);
    edge.detach(1, &session).await;
    let mut other = stack.edge(1, "two").await;
    other.attached(2, &session, "").await;
    assert_eq!(other.messages(2, 2).await, ["2", "3"]);
    other.detach(2, &session).await;
    edge.attached(3, &session, "").await;
    assert!(edge.leftovers(3).await.is_empty());
}

async fn another_attachment_takes_over(stack: Stack) {
    let session = stack.session(ALICE).await;
    let (mut one, mut two) = (stack.edge(0, "one").await, stack.edge(1, "two").await);
    let mut client = stack.client(0);
    one.attached(1, &session, "").await;
    append(&mut client, &session, "g", vec![message("1")]).await;
    assert_eq!(one.messages(1, 1).await, ["1"]);
    two.attached(2, &session, "").await;
    append(&mut client, &session, "g", vec![message("2")]).await;
    assert_eq!(two.messages(2, 1).await, ["2"]);
    two.detach(2, &session).await;
    append(&mut client, &session, "g", vec![message("3")]).await;
    assert_eq!(one.messages(1, 1).await, ["3"]);
    // An edge that goes without a word gives way, too.
    two.attached(4, &session, "").await;
    append(&mut client, &session, "g", vec![message("4")]).await;
    assert_eq!(two.messages(4, 1).await, ["4"]);
    drop(two);
    // What goes out before the service notices is for the client to ask for again, by its `Last-Event-ID`.
    let mut texts = (5..).map(|n: u32| n.to_string());
    let deadline = Instant::now() + PATIENCE;
    while one.leftovers(1).await.is_empty() {
        assert!(Instant::now() < deadline, "nobody took over");
        append(&mut client, &session, "g", vec![message(&texts.next().unwrap())]).await;
    }
}

/// Whoever takes over hears of new messages in the same instant.
async fn the_stream_goes_to_and_fro_and_each_message_comes_once(stack: Stack) {
    let session = stack.session(ALICE).await;
    let (mut one, mut two) = (stack.edge(0, "one").await, stack.edge(1, "two").await);
    let mut clients = [stack.client(0), stack.client(1)];
    one.attached(1, &session, "").await;
    for n in 2..150 {
        let [here, there] = &mut clients;
        two.attached(n, &session, "").await;
        let texts = [format!("{n} there"), format!("{n} here")];
        append(there, &session, "g", vec![message(&texts[0])]).await;
        assert_eq!(two.messages(n, 1).await, texts[..1]);
        let (_, _) = tokio::join!(
            two.detach(n, &session),
            append(here, &session, "g", vec![message(&texts[1])])
        );
        // Even where it was sent to the one that left: its client never got it.
        assert_eq!(one.messages(1, 1).await, texts[1..]);
    }
    assert!(one.leftovers(1).await.is_empty());
}

async fn a_returning_client_gets_what_it_missed(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut client = stack.client(0);
    let mut one = stack.edge(0, "one").await;
    let ids = append(
        &mut client,
        &session,
        "g",
        (1..=4).map(|n| message(&n.to_string())).collect(),
    )
    .await;
    one.attached(1, &session, "").await;
    assert_eq!(one.messages(1, 4).await, ["1", "2", "3", "4"]);
    // The client saw only two of them.
    let mut two = stack.edge(1, "two").await;
    assert_eq!(two.attached(2, &session, &ids[1]).await, ids[1]);
    append(&mut client, &session, "g", vec![message("5")]).await;
    assert_eq!(two.messages(2, 3).await, ["3", "4", "5"]);
    assert!(two.leftovers(2).await.is_empty());
    assert!(one.leftovers(1).await.is_empty());
}

async fn a_replaced_attachment_number_starts_anew(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut client = stack.client(0);
    let mut edge = stack.edge(0, "one").await;
    for n in 0..20 {
        edge.attach(1, &session, "").await;
        edge.attach(1, &session, "").await;
        append(&mut client, &session, "g", vec![message(&n.to_string())]).await;
        assert_eq!(edge.messages(1, 1).await, [n.to_string()]);
    }
    let attachments = edge
        .expect("an attachment", |out| match out {
            Out::Attached(attached) => Some(attached.attachment),
            _ => None,
        })
        .await;
    assert_eq!(attachments, 1);
}

async fn an_edge_that_does_not_read_holds_nobody_up(stack: Stack) {
    let (slow_session, session) = (stack.session(ALICE).await, stack.session(ALICE).await);
    let (slow, mut edge) = (stack.edge(0, "slow").await, stack.edge(0, "one").await);
    slow.attach(1, &slow_session, "").await;
    edge.attached(1, &session, "").await;
    let mut client = stack.client(1);
    let large = "x".repeat(200_000);
    for n in 0..100 {
        append(&mut client, &slow_session, "g", vec![message(&large)]).await;
        append(&mut client, &session, "g", vec![message(&n.to_string())]).await;
        assert_eq!(edge.messages(1, 1).await, [n.to_string()]);
    }
    drop(slow);
}
