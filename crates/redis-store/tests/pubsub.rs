//! Pub/sub against a real Redis: nothing published after a confirmation is lost unnoticed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use redis_store::{Delivery, testing::RedisServer};

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future)
        .await
        .expect("within ten seconds")
}

#[tokio::test]
async fn a_confirmed_subscription_receives_what_is_published() {
    let server = RedisServer::start().await;
    let redis = server.connect();
    let mut subscription = soon(redis.subscribe("news")).await.unwrap();
    redis.publish("news", b"one").await.unwrap();
    redis.publish("other", b"not for us").await.unwrap();
    redis.publish("news", b"two").await.unwrap();
    let mut messages = Vec::new();
    while messages.len() < 2 {
        if let Delivery::Message(message) = soon(subscription.next()).await {
            messages.push(message);
        }
    }
    assert_eq!(messages, ["one", "two"]);
}

#[tokio::test]
async fn a_cut_connection_is_reported_and_renewed() {
    let server = RedisServer::start().await;
    let redis = server.connect();
    let mut subscription = soon(redis.subscribe("news")).await.unwrap();
    redis.publish("news", b"before").await.unwrap();
    while soon(subscription.next()).await != Delivery::Message("before".into()) {}
    let _: i64 = server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    assert_eq!(soon(subscription.next()).await, Delivery::Resubscribed);
    redis.publish("news", b"after").await.unwrap();
    assert_eq!(soon(subscription.next()).await, Delivery::Message("after".into()));
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_told() {
    let server = RedisServer::start().await;
    let redis = server.connect();
    let mut subscriber = redis.subscriber(4);
    soon(subscriber.subscribe("news")).await.unwrap();
    for _ in 0..64 {
        redis.publish("news", b"x").await.unwrap();
    }
    let told = async {
        loop {
            let (channel, delivery) = subscriber.next().await;
            assert_eq!(&*channel, "news");
            if delivery == Delivery::Resubscribed {
                return;
            }
        }
    };
    soon(told).await;
}

#[tokio::test]
async fn a_dropped_subscription_ends_in_redis_too() {
    let server = RedisServer::start().await;
    let redis = server.connect();
    let kept = soon(redis.subscribe("kept")).await.unwrap();
    drop(soon(redis.subscribe("dropped")).await.unwrap());
    let gone = async {
        loop {
            let channels: Vec<String> = server.command(&["PUBSUB", "CHANNELS"]).await;
            if channels == ["kept"] {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(gone).await;
    drop(kept);
}

#[tokio::test]
async fn redis_may_come_up_late_and_go_away() {
    let mut server = RedisServer::start().await;
    server.kill();
    let redis = server.connect();
    assert!(soon(redis.subscribe("news")).await.is_err());
    assert!(soon(redis.publish("news", b"x")).await.is_err());
    server.restart().await;
    let mut health = redis.health();
    soon(health.wait_for(Result::is_ok)).await.unwrap();
    let mut subscription = soon(async {
        loop {
            if let Ok(subscription) = redis.subscribe("late").await {
                return subscription;
            }
        }
    })
    .await;
    redis.publish("late", b"here").await.unwrap();
    while soon(subscription.next()).await != Delivery::Message("here".into()) {}
}
