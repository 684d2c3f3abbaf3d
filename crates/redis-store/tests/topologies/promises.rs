//! What holds on every topology, and the steps that its tests are made of.

use std::time::Duration;

use redis_store::{Delivery, Error, Redis, Script, Subscription};

pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .expect("within thirty seconds")
}

pub async fn is_ready(redis: &Redis) {
    soon(redis.health().wait_for(Result::is_ok)).await.unwrap();
}

pub fn key(number: usize) -> String {
    format!("session:{{{number}}}:owner")
}

pub fn channel(number: usize) -> String {
    format!("mcp:shttp:toserver:{{{number}}}")
}

pub async fn set(redis: &Redis, key: &str, value: &str) -> Result<(), Error> {
    let mut command = redis::cmd("SET");
    Ok(command
        .arg(key)
        .arg(value)
        .query_async(&mut redis.commands())
        .await?)
}

pub async fn get(redis: &Redis, key: &str) -> Result<Option<String>, Error> {
    Ok(redis::cmd("GET")
        .arg(key)
        .query_async(&mut redis.commands())
        .await?)
}

/// Asks again until it is done. Sends nothing twice that may have been carried out and counts.
pub async fn eventually<T>(mut attempt: impl AsyncFnMut() -> Result<T, Error>) -> T {
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

pub async fn message(subscription: &mut Subscription) -> bytes::Bytes {
    loop {
        if let Delivery::Message(message) = soon(subscription.next()).await {
            return message;
        }
    }
}

/// What every topology promises.
pub async fn all_hold(redis: &Redis) {
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

/// Publishes until something arrives: the subscription is there again.
pub async fn is_heard(redis: &Redis, subscription: &mut Subscription, channel: &str) {
    eventually(async || redis.publish(channel, b"again").await).await;
    assert_eq!(message(subscription).await, "again");
}
