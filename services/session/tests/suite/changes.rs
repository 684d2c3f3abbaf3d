//! Changes that features announce reach the sessions that they concern, once.

use change_feed::{Change, MemoryFeed};
use everything_proto::{
    events::v1::{BroadcastLog, ListChanged, ResourcesUpdated, Stderr, change::Change as Kind},
    feature::v1::LogLevel,
    session::v1::{Event, Session, UpdateRequest, connect_response::Message as Out, event},
};

use crate::{
    harness::{ALICE, Edge, Stack, append, message},
    on_both_stores,
};

on_both_stores!(
    a_subscribed_resource_is_announced_once,
    logs_are_filtered_by_level,
    a_session_that_was_away_catches_up,
    changes_of_one_session_stay_there,
    every_link_hears_every_change,
    many_changes_arrive_in_order,
);

fn updated(uris: &[&str], prefixes: &[&str]) -> Change {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    change(Kind::ResourcesUpdated(ResourcesUpdated {
        uris: texts(uris),
        uri_prefixes: texts(prefixes),
    }))
}

fn list(list: i32) -> Change {
    change(Kind::ListChanged(ListChanged { list }))
}

fn log(level: LogLevel, text: &str) -> Change {
    let data_json = format!("{text:?}").into();
    change(Kind::Log(BroadcastLog {
        level: level.into(),
        logger: "test".to_owned(),
        data_json,
    }))
}

fn stderr(content: &str) -> Change {
    change(Kind::Stderr(Stderr {
        content: content.to_owned(),
    }))
}

fn change(kind: Kind) -> Change {
    Change {
        change: Some(kind),
        ..Default::default()
    }
}

async fn update(stack: &Stack, session: &Session, request: UpdateRequest) {
    let request = UpdateRequest {
        session_id: session.session_id.clone(),
        user_id: session.user_id.clone(),
        ..request
    };
    stack.client(0).update(request).await.unwrap();
}

async fn subscribe(stack: &Stack, session: &Session, uris: &[&str]) {
    let subscribe = uris.iter().map(ToString::to_string).collect();
    update(
        stack,
        session,
        UpdateRequest {
            subscribe,
            ..Default::default()
        },
    )
    .await;
}

fn told(event: &Event) -> String {
    match &event.payload {
        Some(event::Payload::Change(Change {
            change: Some(kind),
            session_key,
            ..
        })) => {
            assert_eq!(session_key, "");
            match kind {
                Kind::ResourcesUpdated(updated) => {
                    assert_eq!((updated.uris.len(), updated.uri_prefixes.len()), (1, 0));
                    updated.uris[0].clone()
                }
                Kind::ListChanged(changed) => format!("list {}", changed.list),
                Kind::Log(log) => log.data_json.escape_ascii().to_string().replace("\\\"", ""),
                Kind::Stderr(stderr) => stderr.content.clone(),
            }
        }
        Some(event::Payload::MessageJson(json)) => json.escape_ascii().to_string(),
        other => panic!("not a change: {other:?}"),
    }
}

async fn next(edge: &mut Edge, attachment: u64, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(told(&edge.event(attachment).await));
    }
    all
}

async fn a_subscribed_resource_is_announced_once(stack: Stack) {
    let session = stack.session(ALICE).await;
    subscribe(&stack, &session, &["test://1", "test://2", "other://1"]).await;
    // Both replicas see each change, and both have the session.
    let (mut one, mut two) = (stack.edge(0, "one").await, stack.edge(1, "two").await);
    one.attached(1, &session, "").await;
    two.attached(2, &session, "").await;
    stack
        .feed
        .publish(updated(&["test://1", "test://none"], &[]))
        .await
        .unwrap();
    assert_eq!(next(&mut two, 2, 1).await, ["test://1"]);
    stack
        .feed
        .publish(updated(&["test://2"], &["test://"]))
        .await
        .unwrap();
    assert_eq!(next(&mut two, 2, 2).await, ["test://1", "test://2"]);
    // What is subscribed to while attached counts at once.
    subscribe(&stack, &session, &["new://1"]).await;
    stack.feed.publish(updated(&["new://1"], &[])).await.unwrap();
    assert_eq!(next(&mut two, 2, 1).await, ["new://1"]);
    let unsubscribe = vec!["test://1".to_owned()];
    update(
        &stack,
        &session,
        UpdateRequest {
            unsubscribe,
            ..Default::default()
        },
    )
    .await;
    stack.feed.publish(list(1)).await.unwrap();
    assert_eq!(next(&mut two, 2, 1).await, ["list 1"]);
    stack.feed.publish(updated(&["test://1"], &[])).await.unwrap();
    stack.feed.publish(stderr("end")).await.unwrap();
    assert_eq!(next(&mut two, 2, 1).await, ["end"]);
    assert!(one.leftovers(1).await.is_empty());
    assert!(two.leftovers(2).await.is_empty());
}

async fn logs_are_filtered_by_level(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut edge = stack.edge(1, "one").await;
    edge.attached(1, &session, "").await;
    stack.feed.publish(log(LogLevel::Debug, "too low")).await.unwrap();
    stack
        .feed
        .publish(log(LogLevel::Info, "by default"))
        .await
        .unwrap();
    assert_eq!(next(&mut edge, 1, 1).await, ["by default"]);
    update(
        &stack,
        &session,
        UpdateRequest {
            log_level: Some(LogLevel::Error.into()),
            ..Default::default()
        },
    )
    .await;
    // The level counts from the moment that the edge hears of it.
    edge.follow(&session, &[]).await;
    stack.feed.publish(stderr("fence")).await.unwrap();
    assert_eq!(next(&mut edge, 1, 1).await, ["fence"]);
    stack
        .feed
        .publish(log(LogLevel::Warning, "too low"))
        .await
        .unwrap();
    stack.feed.publish(log(LogLevel::Critical, "high")).await.unwrap();
    assert_eq!(next(&mut edge, 1, 1).await, ["high"]);
    assert!(edge.leftovers(1).await.is_empty());
}

async fn a_session_that_was_away_catches_up(stack: Stack) {
    let before = stack.feed.publish(list(1)).await.unwrap();
    assert!(before > change_feed::ChangeId::ZERO);
    let session = stack.session(ALICE).await;
    subscribe(&stack, &session, &["test://1", "test://2"]).await;
    for _ in 0..3 {
        stack.feed.publish(updated(&["test://1"], &[])).await.unwrap();
        stack.feed.publish(list(2)).await.unwrap();
        stack.feed.publish(log(LogLevel::Alert, "gone by")).await.unwrap();
        stack.feed.publish(stderr("gone by")).await.unwrap();
    }
    stack.feed.publish(updated(&[], &["test://2"])).await.unwrap();
    // A subscription to what changed before concerns only what comes.
    stack.feed.publish(updated(&["late://1"], &[])).await.unwrap();
    subscribe(&stack, &session, &["late://1"]).await;
    append(&mut stack.client(0), &session, "g", vec![message("m")]).await;

    let mut edge = stack.edge(1, "one").await;
    edge.attached(1, &session, "").await;
    assert_eq!(
        next(&mut edge, 1, 4).await,
        ["m", "test://1", "list 2", "test://2"]
    );
    edge.detach(1, &session).await;
    stack.feed.publish(list(3)).await.unwrap();
    edge.attached(2, &session, "").await;
    assert_eq!(next(&mut edge, 2, 1).await, ["list 3"]);
    assert!(edge.leftovers(2).await.is_empty());
}

async fn changes_of_one_session_stay_there(stack: Stack) {
    let (mine, other) = (stack.session(ALICE).await, stack.session(ALICE).await);
    let mut edge = stack.edge(0, "one").await;
    edge.attached(1, &mine, "").await;
    edge.attached(2, &other, "").await;
    let only = Change {
        session_key: mine.session_key.clone(),
        ..list(2)
    };
    stack.feed.publish(only).await.unwrap();
    stack.feed.publish(stderr("all")).await.unwrap();
    assert_eq!(next(&mut edge, 1, 2).await, ["list 2", "all"]);
    assert_eq!(next(&mut edge, 2, 1).await, ["all"]);
}

async fn every_link_hears_every_change(stack: Stack) {
    let mut edges = [stack.edge(0, "one").await, stack.edge(1, "two").await];
    stack.feed.publish(updated(&["a", "b"], &["c"])).await.unwrap();
    for edge in &mut edges {
        let heard = edge
            .expect("the change", |out| match out {
                Out::Change(change) => Some(change.clone()),
                _ => None,
            })
            .await;
        assert_eq!(heard.change, updated(&["a", "b"], &["c"]).change);
    }
}

async fn many_changes_arrive_in_order(stack: Stack) {
    let session = stack.session(ALICE).await;
    let (mut one, mut two) = (stack.edge(0, "one").await, stack.edge(1, "two").await);
    one.attached(1, &session, "").await;
    two.attached(2, &session, "").await;
    let expected: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    for content in &expected {
        stack.feed.publish(stderr(content)).await.unwrap();
    }
    assert_eq!(next(&mut two, 2, 200).await, expected);
    assert!(one.leftovers(1).await.is_empty());
    assert!(two.leftovers(2).await.is_empty());
    // A feed of its own tells nobody.
    let unrelated = MemoryFeed::new();
    change_feed::ChangeFeed::publish(&unrelated, stderr("unheard"))
        .await
        .unwrap();
}

/// What the log of changes holds no more may have been anything.
#[tokio::test]
async fn who_missed_more_than_is_kept_is_told_of_everything() {
    let stack = Stack::redis().await;
    let session = stack.session(ALICE).await;
    subscribe(&stack, &session, &["test://1"]).await;
    for _ in 0..3 {
        stack.feed.publish(list(2)).await.unwrap();
    }
    let redis = stack.redis.as_ref().unwrap();
    let _: i64 = redis.command(&["XTRIM", "mcp:changes", "MAXLEN", "1"]).await;
    let mut edge = stack.edge(0, "one").await;
    edge.attached(1, &session, "").await;
    assert_eq!(
        next(&mut edge, 1, 4).await,
        ["list 1", "list 2", "list 3", "test://1"]
    );
    assert!(edge.leftovers(1).await.is_empty());
    // From here on nothing is missed.
    stack.feed.publish(list(3)).await.unwrap();
    assert_eq!(next(&mut edge, 1, 1).await, ["list 3"]);
}
