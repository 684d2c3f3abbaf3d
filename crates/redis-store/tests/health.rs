//! Whatever would keep Redis from doing its work is a reason of its own, and over when it is over.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use redis_store::{Error, Redis, RedisAddress, testing::RedisServer};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
};

struct Health(watch::Receiver<Result<(), Error>>);

impl Health {
    async fn is(&mut self, expected: &Result<(), Error>) {
        let waited =
            tokio::time::timeout(Duration::from_secs(20), self.0.wait_for(|now| now == expected)).await;
        let outcome = waited.map(|waited| waited.map(drop));
        assert!(
            matches!(outcome, Ok(Ok(()))),
            "{expected:?} expected, {:?} seen",
            *self.0.borrow()
        );
    }

    async fn becomes(&mut self, error: Error) {
        self.is(&Err(error)).await;
    }

    async fn is_ready(&mut self) {
        self.is(&Ok(())).await;
    }
}

async fn config(server: &RedisServer, name: &str, value: &str) {
    let (): () = server.command(&["CONFIG", "SET", name, value]).await;
}

async fn start(arguments: &[&str]) -> (RedisServer, Redis, Health) {
    let server = RedisServer::start_with(arguments).await;
    let redis = server.connect();
    let mut health = Health(redis.health());
    health.is_ready().await;
    (server, redis, health)
}

#[tokio::test]
async fn settings_that_would_lose_or_refuse_writes_are_reasons() {
    let (server, _redis, mut health) = start(&["--save", ""]).await;
    // A policy without a limit evicts nothing.
    config(&server, "maxmemory-policy", "allkeys-lru").await;
    config(&server, "maxmemory", "1gb").await;
    health.becomes(Error::Evicts("allkeys-lru".to_owned())).await;
    config(&server, "maxmemory-policy", "noeviction").await;
    health.is_ready().await;

    config(&server, "maxmemory", "1").await;
    health.becomes(Error::OutOfMemory).await;
    config(&server, "maxmemory", "0").await;
    health.is_ready().await;

    config(&server, "min-replicas-to-write", "1").await;
    health.becomes(Error::TooFewReplicas).await;
    config(&server, "min-replicas-to-write", "0").await;
    health.is_ready().await;
}

#[tokio::test]
async fn a_replica_is_no_place_to_write() {
    let (server, _redis, mut health) = start(&["--save", ""]).await;
    let master = RedisServer::start().await;
    let port = master.port().to_string();
    let (): () = server.command(&["REPLICAOF", "127.0.0.1", &port]).await;
    health.becomes(Error::ReadOnly).await;
    let (): () = server.command(&["REPLICAOF", "NO", "ONE"]).await;
    health.is_ready().await;
}

#[tokio::test]
async fn a_password_or_a_right_that_was_taken_away_is_a_reason() {
    let (server, _redis, mut health) = start(&["--save", ""]).await;
    let (): () = server
        .command(&["ACL", "SETUSER", "default", "-eval", "-evalsha"])
        .await;
    health.becomes(Error::Permission).await;
    let (): () = server.command(&["ACL", "SETUSER", "default", "+@all"]).await;
    health.is_ready().await;

    // The connection of the administrator stays signed in.
    let client = redis::Client::open(server.url()).unwrap();
    let mut admin = client.get_multiplexed_async_connection().await.unwrap();
    let mut set = redis::cmd("CONFIG");
    let (): () = set
        .arg(&["SET", "requirepass", "changed"])
        .query_async(&mut admin)
        .await
        .unwrap();
    let mut kill = redis::cmd("CLIENT");
    kill.arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"]);
    let _: i64 = kill.query_async(&mut admin).await.unwrap();
    health.becomes(Error::Authentication).await;
    let mut set = redis::cmd("CONFIG");
    let (): () = set
        .arg(&["SET", "requirepass", ""])
        .query_async(&mut admin)
        .await
        .unwrap();
    health.is_ready().await;
}

#[tokio::test]
async fn a_wrong_password_is_a_reason() {
    let server = RedisServer::start_with(&["--save", "", "--requirepass", "right"]).await;
    let url = format!("redis://:wrong@127.0.0.1:{}", server.port());
    let redis = Redis::connect(&RedisAddress::parse(&url).unwrap()).unwrap();
    Health(redis.health()).becomes(Error::Authentication).await;
}

/// As with a full disk, a snapshot cannot be written, and Redis takes no writes until one can.
#[tokio::test]
async fn a_failed_snapshot_is_a_reason() {
    let (server, _redis, mut health) = start(&["--save", "3600 1"]).await;
    let in_the_way = server.directory().join("dump.rdb");
    std::fs::create_dir_all(in_the_way.join("not empty")).unwrap();
    let _: String = server.command(&["BGSAVE"]).await;
    health.becomes(Error::Disk).await;
    std::fs::remove_dir_all(&in_the_way).unwrap();
    let _: String = server.command(&["BGSAVE"]).await;
    health.is_ready().await;
}

#[tokio::test]
async fn a_restart_is_unreachable_then_loading_then_ready() {
    let (mut server, _redis, mut health) = start(&["--save", ""]).await;
    let fill = "for i = 1, 3000 do redis.call('SET', 'k' .. i, i) end return redis.status_reply('OK')";
    let (): () = server.command(&["EVAL", fill, "0"]).await;
    let (): () = server.command(&["SAVE"]).await;
    server.kill();
    health.becomes(Error::Unreachable).await;
    // A millisecond for every key, and clients are heard meanwhile.
    server.restart_with(&[
        "--key-load-delay",
        "1000",
        "--loading-process-events-interval-bytes",
        "1024",
    ]);
    health.becomes(Error::Loading).await;
    health.is_ready().await;
}

#[tokio::test]
async fn a_server_that_hangs_is_a_timeout() {
    let (server, _redis, mut health) = start(&["--save", ""]).await;
    let (): () = server.command(&["CLIENT", "PAUSE", "6000", "ALL"]).await;
    health.becomes(Error::Timeout).await;
    health.is_ready().await;
}

#[tokio::test]
async fn a_version_that_is_too_old_is_a_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(an_old_server(stream));
        }
    });
    let redis = Redis::connect(&RedisAddress::parse(&url).unwrap()).unwrap();
    Health(redis.health())
        .becomes(Error::Version("6.2.14".to_owned()))
        .await;
}

async fn an_old_server(stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let count: usize = line.trim().trim_start_matches('*').parse().unwrap();
        let mut words = Vec::new();
        for _ in 0..count {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            let length: usize = line.trim().trim_start_matches('$').parse().unwrap();
            let mut word = vec![0; length + 2];
            stream.read_exact(&mut word).await.unwrap();
            words.push(String::from_utf8(word).unwrap().trim().to_owned());
        }
        let reply = match words[0].as_str() {
            "INFO" => "$22\r\nredis_version:6.2.14\r\n\r\n",
            "CLIENT" => "+OK\r\n",
            _ => "-ERR unknown command\r\n",
        };
        stream.write_all(reply.as_bytes()).await.unwrap();
        line.clear();
    }
}
