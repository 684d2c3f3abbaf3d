//! A master by its sentinels, through failovers.

use redis_store::{Delivery, Error, Redis, testing::RedisSentinel};

use super::promises::{all_hold, eventually, is_heard, is_ready, set, soon};

#[tokio::test]
async fn behind_sentinels() {
    let sentinel = RedisSentinel::start().await;
    let redis = sentinel.connect();
    all_hold(&redis).await;
    assert_eq!(redis.usage().connections, 2);
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
