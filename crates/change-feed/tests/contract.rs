//! What both feeds promise.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use change_feed::{Change, ChangeFeed, ChangeId, MemoryFeed, Missed, RedisFeed, Tick};
use everything_proto::events::v1::{Stderr, change};
use redis_store::testing::{RedisCluster, RedisSentinel, RedisServer};

fn text(content: &str) -> Change {
    let change = change::Change::Stderr(Stderr {
        content: content.to_owned(),
    });
    Change {
        change: Some(change),
        ..Change::default()
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future)
        .await
        .expect("within ten seconds")
}

async fn changes_are_logged_in_order(feed: Arc<dyn ChangeFeed>) {
    assert_eq!(feed.latest().await.unwrap(), ChangeId::ZERO);
    let first = feed.publish(text("one")).await.unwrap();
    let second = feed.publish(text("two")).await.unwrap();
    assert!(ChangeId::ZERO < first && first < second);
    assert_eq!(feed.latest().await.unwrap(), second);
    let all = [(first, text("one")), (second, text("two"))];
    assert_eq!(feed.since(ChangeId::ZERO).await.unwrap(), all);
    assert_eq!(feed.since(first).await.unwrap(), all[1..]);
    assert_eq!(feed.since(second).await.unwrap(), []);
}

async fn readers_see_what_comes_after_they_subscribed(feed: Arc<dyn ChangeFeed>) {
    feed.publish(text("before")).await.unwrap();
    let mut one = soon(feed.subscribe()).await.unwrap();
    let mut two = soon(feed.subscribe()).await.unwrap();
    let ids = [
        feed.publish(text("a")).await.unwrap(),
        feed.publish(text("b")).await.unwrap(),
    ];
    for reader in [&mut one, &mut two] {
        assert_eq!(soon(reader.next()).await.unwrap(), (ids[0], text("a")));
        assert_eq!(soon(reader.next()).await.unwrap(), (ids[1], text("b")));
    }
}

async fn a_periodic_change_is_sent_once_per_period(feed: Arc<dyn ChangeFeed>) {
    let hour = Tick {
        name: "hourly",
        period: Duration::from_secs(3600),
    };
    let other = Tick {
        name: "other",
        period: Duration::from_secs(3600),
    };
    let attempts = (0..20).map(|_| feed.publish_once(&hour, text("tick")));
    let sent = futures::future::try_join_all(attempts).await.unwrap();
    assert_eq!(sent.iter().flatten().count(), 1);
    assert!(feed.publish_once(&other, text("tock")).await.unwrap().is_some());
    assert_eq!(feed.since(ChangeId::ZERO).await.unwrap().len(), 2);
}

macro_rules! contract {
    ($($test:ident),*) => {
        mod memory {
            use super::*;
            $(#[tokio::test] async fn $test() {
                super::$test(Arc::new(MemoryFeed::new())).await;
            })*
        }
        on!(redis, RedisServer, $($test),*);
        on!(sentinel, RedisSentinel, $($test),*);
        on!(cluster, RedisCluster, $($test),*);
    };
}

macro_rules! on {
    ($topology:ident, $server:ident, $($test:ident),*) => {
        #[tokio::test]
        async fn $topology() {
            let server = $server::start().await;
            $(
                server.flush().await;
                $test(Arc::new(RedisFeed::new(server.connect()))).await;
            )*
        }
    };
}

contract!(
    changes_are_logged_in_order,
    readers_see_what_comes_after_they_subscribed,
    a_periodic_change_is_sent_once_per_period
);

#[tokio::test]
async fn a_cut_connection_loses_no_change() {
    let server = RedisServer::start().await;
    let feed = RedisFeed::new(server.connect());
    let mut reader = soon(feed.subscribe()).await.unwrap();
    for round in 0..10 {
        let _: i64 = server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        let content = format!("round {round}");
        let id = feed.publish(text(&content)).await.unwrap();
        assert_eq!(soon(reader.next()).await.unwrap(), (id, text(&content)));
    }
}

async fn what_the_log_holds_no_more_is_said_to_be_lost(feed: Arc<dyn ChangeFeed>) {
    let first = feed.publish(text("first")).await.unwrap();
    let mut ids = vec![first];
    for _ in 0..300 {
        ids.push(feed.publish(text("more")).await.unwrap());
    }
    let missed = feed.missed(first).await.unwrap();
    assert!(missed.truncated && !missed.changes.is_empty() && missed.changes.len() < 300);
    assert!(feed.missed(ChangeId::ZERO).await.unwrap().truncated);
    // From the last one that is gone on, everything is there.
    let oldest = missed.changes[0].0;
    let place = ids.iter().position(|id| *id == oldest).unwrap();
    let rest = feed.missed(ids[place - 1]).await.unwrap();
    assert!(!rest.truncated);
    assert_eq!(rest.changes, missed.changes);
    assert!(feed.missed(ids[place - 2]).await.unwrap().truncated);
    let newest = feed.latest().await.unwrap();
    assert_eq!(feed.missed(newest).await.unwrap(), Missed::default());
}

#[tokio::test]
async fn a_feed_in_memory_says_what_it_lost() {
    what_the_log_holds_no_more_is_said_to_be_lost(Arc::new(MemoryFeed::of_length(10))).await;
}

#[tokio::test]
async fn a_feed_on_redis_says_what_it_lost() {
    let server = RedisServer::start().await;
    let feed = RedisFeed::of_length(server.connect(), 10);
    what_the_log_holds_no_more_is_said_to_be_lost(Arc::new(feed.clone())).await;
    // All of it is gone, as after an hour without a change.
    let before = feed.latest().await.unwrap();
    let _: i64 = server.command(&["DEL", "mcp:changes"]).await;
    feed.publish(text("anew")).await.unwrap();
    assert!(feed.missed(before).await.unwrap().truncated);
    assert!(!feed.missed(ChangeId::ZERO).await.unwrap().truncated);
}
