//! The same promises on one server, behind sentinels, and on a cluster, through failovers and moving slots.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use redis_store::{
    Delivery, Error, Redis, Script, Subscription,
    testing::{RedisCluster, RedisSentinel, RedisServer},
};

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .expect("within thirty seconds")
}

async fn is_ready(redis: &Redis) {
    soon(redis.health().wait_for(Result::is_ok)).await.unwrap();
}

fn key(number: usize) -> String {
    format!("session:{{{number}}}:owner")
}

fn channel(number: usize) -> String {
    format!("mcp:shttp:toserver:{{{number}}}")
}

async fn set(redis: &Redis, key: &str, value: &str) -> Result<(), Error> {
    let mut command = redis::cmd("SET");
    Ok(command
        .arg(key)
        .arg(value)
        .query_async(&mut redis.commands())
        .await?)
}

async fn get(redis: &Redis, key: &str) -> Result<Option<String>, Error> {
    Ok(redis::cmd("GET")
        .arg(key)
        .query_async(&mut redis.commands())
        .await?)
}

/// Asks again until it is done. Sends nothing twice that may have been carried out and counts.
async fn eventually<T>(mut attempt: impl AsyncFnMut() -> Result<T, Error>) -> T {
    soon(async {
        loop {
            match attempt().await {
                Ok(done) => return done,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await
}

async fn message(subscription: &mut Subscription) -> bytes::Bytes {
    loop {
        if let Delivery::Message(message) = soon(subscription.next()).await {
            return message;
        }
    }
}

/// What every topology promises.
async fn all_hold(redis: &Redis) {
    is_ready(redis).await;
    let both = Script::new(
        "both",
        "return redis.call('INCR', KEYS[1]) + redis.call('INCR', KEYS[2])",
    );
    for number in 0..64 {
        set(redis, &key(number), &number.to_string()).await.unwrap();
        let two = [format!("{{{number}}}:a"), format!("{{{number}}}:b")];
        let sum: i64 = both
            .key(&two[0])
            .key(&two[1])
            .invoke_async(&mut redis.commands())
            .await
            .unwrap();
        assert_eq!(sum, 2);
        let mut pipeline = redis::pipe();
        pipeline.get(&two[0]).get(&two[1]);
        let values: [i64; 2] = pipeline.query_async(&mut redis.commands()).await.unwrap();
        assert_eq!(values, [1, 1]);
        let mut transaction = redis::pipe();
        transaction.atomic().incr(&two[0], 1).incr(&two[1], 1);
        let values: [i64; 2] = transaction.query_async(&mut redis.commands()).await.unwrap();
        assert_eq!(values, [2, 2]);
    }
    for number in 0..64 {
        assert_eq!(get(redis, &key(number)).await.unwrap(), Some(number.to_string()));
    }
    // Confirmed is confirmed: what is published from then on arrives, whoever publishes.
    let mut subscriber = redis.subscriber(256);
    for number in 0..64 {
        soon(subscriber.subscribe(channel(number))).await.unwrap();
        redis.publish(&channel(number), b"news").await.unwrap();
        let (from, delivery) = soon(subscriber.next()).await;
        assert_eq!(
            (&*from, delivery),
            (channel(number).as_str(), Delivery::Message("news".into()))
        );
    }
}

async fn eventually_connected(redis: &Redis, connections: u64) {
    soon(async {
        while redis.usage().connections != connections {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn one_server() {
    let server = RedisServer::start().await;
    let redis = server.connect();
    all_hold(&redis).await;
    assert_eq!(redis.usage().connections, 2);
}

#[tokio::test]
async fn behind_sentinels() {
    let sentinel = RedisSentinel::start().await;
    let redis = sentinel.connect();
    all_hold(&redis).await;
    assert_eq!(redis.usage().connections, 2);
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

/// Publishes until something arrives: the subscription is there again.
async fn is_heard(redis: &Redis, subscription: &mut Subscription, channel: &str) {
    eventually(async || redis.publish(channel, b"again").await).await;
    assert_eq!(message(subscription).await, "again");
}

#[tokio::test]
async fn a_killed_master_is_replaced_and_subscriptions_follow() {
    let mut sentinel = RedisSentinel::start().await;
    let redis = sentinel.connect();
    is_ready(&redis).await;
    let mut subscription = soon(redis.subscribe("news")).await.unwrap();
    let port = sentinel.master_port().await;
    sentinel.master().await.kill();
    assert_eq!(soon(subscription.next()).await, Delivery::Resubscribed);
    is_heard(&redis, &mut subscription, "news").await;
    eventually(async || set(&redis, "a", "1").await).await;
    let now = sentinel.master().await;
    assert_ne!(now.port(), port);
    let value: String = now.command(&["GET", "a"]).await;
    assert_eq!(value, "1");
    is_ready(&redis).await;
}

#[tokio::test]
async fn a_hung_master_is_left_and_a_demoted_one_is_not_written_to() {
    let mut sentinel = RedisSentinel::start().await;
    let redis = sentinel.connect();
    is_ready(&redis).await;
    let mut subscription = soon(redis.subscribe("news")).await.unwrap();
    let port = sentinel.master_port().await;
    let hung = sentinel
        .servers
        .iter()
        .position(|server| server.port() == port)
        .unwrap();
    sentinel.servers[hung].signal("STOP");
    sentinel.failed_over_from(port).await;
    eventually(async || set(&redis, "a", "1").await).await;
    // It comes back, first as a master, and is made a replica.
    sentinel.servers[hung].signal("CONT");
    assert_eq!(soon(subscription.next()).await, Delivery::Resubscribed);
    is_heard(&redis, &mut subscription, "news").await;
    eventually(async || set(&redis, "b", "1").await).await;
    let now = sentinel.master().await;
    assert_ne!(now.port(), port);
    let there: i64 = now.command(&["EXISTS", "a", "b"]).await;
    assert_eq!(there, 2);
}

/// As when a name or an address moves between servers: the connection stands, but leads to a replica now.
#[tokio::test]
async fn read_only_makes_a_client_connect_anew() {
    let server = RedisServer::start().await;
    let master = RedisServer::start().await;
    let redis = server.connect();
    is_ready(&redis).await;
    assert_eq!(redis.usage().reconnects, 0);
    let port = master.port().to_string();
    let (): () = server.command(&["REPLICAOF", "127.0.0.1", &port]).await;
    assert_eq!(set(&redis, "a", "1").await, Err(Error::ReadOnly));
    let (): () = server.command(&["REPLICAOF", "NO", "ONE"]).await;
    eventually(async || set(&redis, "a", "1").await).await;
    assert!(redis.usage().reconnects > 0);
}

#[tokio::test]
async fn an_orderly_failover_is_followed() {
    let mut sentinel = RedisSentinel::start().await;
    let redis = sentinel.connect();
    is_ready(&redis).await;
    let port = sentinel.master_port().await;
    let (): () = sentinel.sentinels[0]
        .command(&["SENTINEL", "FAILOVER", "main"])
        .await;
    sentinel.failed_over_from(port).await;
    let now = sentinel.master().await;
    // Until the old master hears of it, it takes writes that are lost.
    eventually(async || {
        set(&redis, "a", "1").await?;
        match now.command::<i64>(&["EXISTS", "a"]).await {
            1 => Ok(()),
            _ => Err(Error::ReadOnly),
        }
    })
    .await;
    is_ready(&redis).await;
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

#[tokio::test]
async fn a_write_can_wait_for_replicas() {
    let sentinel = RedisSentinel::start().await;
    let redis = Redis::connect(&sentinel.address_waiting_for(1)).unwrap();
    is_ready(&redis).await;
    let mut command = redis::cmd("SET");
    command.arg("a").arg("1");
    let (): () = command.query_async(&mut redis.durable()).await.unwrap();
    let port = sentinel.master_port().await;
    let replica = sentinel
        .servers
        .iter()
        .find(|server| server.port() != port)
        .unwrap();
    assert_eq!(replica.command::<i64>(&["EXISTS", "a"]).await, 1);
    // Many wait at once, and each gets its own answer.
    let many = async || {
        let echo = async |number: usize| {
            let mut echo = redis::cmd("ECHO");
            let answer = echo.arg(number).query_async::<usize>(&mut redis.durable()).await;
            answer
                .map(|answer| assert_eq!(answer, number))
                .map_err(Error::from)
        };
        futures::future::join_all((0..500).map(echo)).await
    };
    assert!(many().await.iter().all(Result::is_ok));
    // A replica that is away confirms nothing, and those who wait for it wait together; what does not ask for it goes on.
    replica.signal("STOP");
    let outcome: Result<(), _> = soon(command.query_async(&mut redis.durable())).await;
    assert_eq!(outcome.map_err(Error::from), Err(Error::TooFewReplicas));
    assert!(
        soon(many())
            .await
            .iter()
            .all(|outcome| *outcome == Err(Error::TooFewReplicas))
    );
    set(&redis, "b", "1").await.unwrap();
    let mut health = redis.health();
    soon(health.wait_for(|now| *now == Err(Error::TooFewReplicas)))
        .await
        .unwrap();
    replica.signal("CONT");
    is_ready(&redis).await;
    eventually(async || Ok(command.query_async::<()>(&mut redis.durable()).await?)).await;
}

#[tokio::test]
async fn wrong_sentinels_and_services_are_reasons() {
    let sentinel = RedisSentinel::start().await;
    let reason = async |args: redis_store::RedisArgs| {
        let redis = Redis::connect(&args.address().unwrap().unwrap()).unwrap();
        let mut health = redis.health();
        soon(health.wait_for(|now| !matches!(now, Ok(()) | Err(Error::Unreachable))))
            .await
            .unwrap()
            .clone()
            .unwrap_err()
    };
    let url = sentinel.url();
    let args = |url: &str, password: &str| redis_store::RedisArgs {
        redis_url: Some(url.to_owned()),
        redis_sentinel_password: Some(password.to_owned()),
        ..redis_store::RedisArgs::default()
    };
    assert_eq!(reason(args(&url, "wrong")).await, Error::Authentication);
    let other = url.replace("/main", "/other");
    assert_eq!(reason(args(&other, sentinel.password())).await, Error::NoMaster);
    let wrong = url.replace(":of-the-data@", ":wrong@");
    assert_eq!(
        reason(args(&wrong, sentinel.password())).await,
        Error::Authentication
    );
}
