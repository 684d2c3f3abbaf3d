//! One server, or a name behind which there is always one.

use redis_store::{Error, testing::RedisServer};

use super::promises::{all_hold, eventually, is_ready, set};

#[tokio::test]
async fn one_server() {
    let server = RedisServer::start().await;
    let redis = server.connect();
    all_hold(&redis).await;
    assert_eq!(redis.usage().connections, 2);
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
