//! A cluster, through failovers and moving slots.

use std::time::Duration;

use redis_store::{Delivery, Error, Redis, testing::RedisCluster};

use super::promises::{all_hold, channel, eventually, get, is_heard, is_ready, key, message, set, soon};

async fn eventually_connected(redis: &Redis, connections: u64) {
    soon(async {
        while redis.usage().connections != connections {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_cluster() {
    let cluster = RedisCluster::start().await;
    let redis = cluster.connect();
    all_hold(&redis).await;
    // Those to the other nodes that were asked who owns what at the start may still be on their way out.
    eventually_connected(&redis, 2 * 3).await;
    // The documented way to look: each channel at the one node that owns it.
    let mut kept = redis.subscriber(64);
    let mut wanted: Vec<String> = (0..16).map(channel).collect();
    for name in &wanted {
        soon(kept.subscribe(name.clone())).await.unwrap();
    }
    let mut live = Vec::new();
    for node in &cluster.nodes {
        let command = ["PUBSUB", "SHARDCHANNELS", "mcp:shttp:toserver:*"];
        live.extend(node.command::<Vec<String>>(&command).await);
    }
    // Those of the first subscriber may still be on their way out.
    live.retain(|name| wanted.contains(name));
    live.sort();
    wanted.sort();
    assert_eq!(live, wanted);
}

#[tokio::test]
async fn slots_move_without_an_error_or_a_missed_message() {
    let cluster = RedisCluster::start().await;
    let redis = cluster.connect();
    is_ready(&redis).await;
    let (name, news) = (key(1), channel(1));
    let mut subscription = soon(redis.subscribe(news.clone())).await.unwrap();
    set(&redis, &name, "0").await.unwrap();
    let writing = tokio::spawn({
        let (redis, name) = (redis.clone(), name.clone());
        async move {
            for number in 1..=2_000 {
                let mut command = redis::cmd("INCR");
                let value: i64 = command
                    .arg(&name)
                    .query_async(&mut redis.commands())
                    .await
                    .unwrap();
                assert_eq!(value, number);
                tokio::task::yield_now().await;
            }
        }
    });
    let from = cluster.owner_of(&name).await;
    cluster.move_slot(&name).await;
    assert_eq!(soon(subscription.next()).await, Delivery::Resubscribed);
    redis.publish(&news, b"moved").await.unwrap();
    assert_eq!(message(&mut subscription).await, "moved");
    soon(writing).await.unwrap();
    let to = &cluster.nodes[(from + 1) % 3];
    assert_eq!(to.command::<String>(&["GET", &name]).await, "2000");
}

/// Half way through a move, new keys are at the importing node, and old ones still at the other.
#[tokio::test]
async fn a_slot_that_is_being_moved_is_asked_for_at_both_ends() {
    let cluster = RedisCluster::start().await;
    let redis = cluster.connect();
    is_ready(&redis).await;
    set(&redis, "{1}:old", "old").await.unwrap();
    let (old, new) = cluster.begin_move("{1}").await;
    assert_eq!(get(&redis, "{1}:old").await.unwrap().as_deref(), Some("old"));
    set(&redis, "{1}:new", "new").await.unwrap();
    assert_eq!(get(&redis, "{1}:new").await.unwrap().as_deref(), Some("new"));
    let mut pipeline = redis::pipe();
    pipeline.get("{1}:new").get("{1}:newer");
    let values: [Option<String>; 2] = pipeline.query_async(&mut redis.commands()).await.unwrap();
    assert_eq!(values, [Some("new".to_owned()), None]);
    assert_eq!(cluster.nodes[old].command::<i64>(&["DBSIZE"]).await, 1);
    assert_eq!(cluster.nodes[new].command::<i64>(&["DBSIZE"]).await, 1);
}

#[tokio::test]
async fn a_killed_master_of_a_cluster_is_replaced_and_subscriptions_follow() {
    let mut cluster = RedisCluster::start_with_replicas().await;
    let redis = cluster.connect();
    is_ready(&redis).await;
    let (name, news) = (key(1), channel(1));
    let mut subscription = soon(redis.subscribe(news.clone())).await.unwrap();
    set(&redis, &name, "before").await.unwrap();
    let mut health = redis.health();
    cluster.fail_over(&name).await;
    soon(health.wait_for(Result::is_ok)).await.unwrap();
    eventually(async || set(&redis, &name, "after").await).await;
    assert_eq!(soon(subscription.next()).await, Delivery::Resubscribed);
    is_heard(&redis, &mut subscription, &news).await;
    assert_eq!(get(&redis, &name).await.unwrap().as_deref(), Some("after"));
}

#[tokio::test]
async fn a_cluster_that_lacks_a_master_is_not_ready_and_the_rest_works() {
    let mut cluster = RedisCluster::start().await;
    let redis = cluster.connect();
    is_ready(&redis).await;
    let dead = cluster.owner_of(&key(1)).await;
    let other = (2..).map(key);
    let mut alive = String::new();
    for name in other {
        if cluster.owner_of(&name).await != dead {
            alive = name;
            break;
        }
    }
    cluster.nodes[dead].kill();
    let mut health = redis.health();
    let reason = soon(health.wait_for(Result::is_err))
        .await
        .unwrap()
        .clone()
        .unwrap_err();
    assert!(
        matches!(reason, Error::Unreachable | Error::ClusterDown),
        "{reason:?}"
    );
    set(&redis, &alive, "1").await.unwrap();
    assert!(set(&redis, &key(1), "1").await.is_err());
    cluster.nodes[dead].restart().await;
    is_ready(&redis).await;
    eventually(async || set(&redis, &key(1), "1").await).await;
}
