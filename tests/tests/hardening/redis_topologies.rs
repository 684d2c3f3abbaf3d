//! The whole stack behind sentinels, on a cluster, and with a user of Redis that may do no more than it must.

use std::time::Duration;

use redis_store::testing::{RedisCluster, RedisSentinel, RedisServer};
use system_tests::Stack;
use tokio::time::sleep;

use super::{
    faults::Load,
    redis_failures::{all_is_back, ask_across, sessions},
};

/// A failover, and everything after it.
const RECOVERY: Duration = Duration::from_secs(30);

pub async fn stack(url: &str, settings: &[(&str, &str)]) -> Stack {
    let builder = Stack::builder()
        .processes()
        .redis_at(url)
        .edges(2)
        .auth_disabled();
    let builder = settings
        .iter()
        .fold(builder, |builder, (name, value)| builder.setting(name, value));
    builder.start().await.unwrap()
}

/// Sessions at both edges, calls, and a question at one edge that is answered at the other.
pub async fn works(stack: &Stack) {
    let sessions = sessions(stack, 4, None).await;
    for (number, session) in sessions.iter().enumerate() {
        session.echoes().await.unwrap();
        let [here, there] = [number % 2, (number + 1) % 2].map(|edge| session.at(&stack.edge_url(edge, "")));
        ask_across(&here, &there, number).await;
    }
}

/// Calls under way when the master dies end in an answer or a clear refusal, and afterwards nothing is refused.
pub async fn survives(stack: &Stack, kill: impl AsyncFnOnce()) {
    let sessions = sessions(stack, 6, None).await;
    let load = Load::start(&sessions);
    sleep(Duration::from_millis(500)).await;
    kill().await;
    all_is_back(stack, &sessions, RECOVERY).await;
    let tally = load.stop().await;
    assert!(
        tally.wrong.is_empty() && tally.ok > 0,
        "{tally:?}\n{}",
        stack.logs()
    );
    works(stack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_behind_sentinels_works_and_survives_a_failover() {
    let mut sentinel = RedisSentinel::start().await;
    let settings = [
        ("REDIS_SENTINEL_PASSWORD", sentinel.password()),
        ("REDIS_WAIT_REPLICAS", "0"),
    ];
    let stack = stack(&sentinel.url(), &settings).await;
    works(&stack).await;
    survives(&stack, async || sentinel.master().await.kill()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_on_a_cluster_works_and_survives_a_failover() {
    let mut cluster = RedisCluster::start_with_replicas().await;
    let stack = stack(&cluster.url(), &[]).await;
    works(&stack).await;
    survives(&stack, async || {
        cluster.fail_over("mcp:changes").await;
    })
    .await;
}

/// The user is the one that docs/redis.md shows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_user_of_redis_may_do_all_that_is_needed_and_no_more() {
    let docs = include_str!("../../../docs/redis.md");
    let rule = docs
        .split("```")
        .find(|block| block.trim_start().starts_with("ACL SETUSER everything"))
        .unwrap();
    let server = RedisServer::start().await;
    let words: Vec<&str> = rule.split_whitespace().collect();
    let (): () = server.command(&words).await;
    let (): () = server.command(&["ACL", "LOG", "RESET"]).await;
    let url = format!("redis://everything:password@127.0.0.1:{}", server.port());
    let stack = stack(&url, &[]).await;
    works(&stack).await;
    let denied: redis::Value = server.command(&["ACL", "LOG"]).await;
    assert_eq!(denied, redis::Value::Array(Vec::new()));

    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for forbidden in [
        "FLUSHALL",
        "CONFIG GET *",
        "KEYS *",
        "GET other",
        "ACL LIST",
        "PUBLISH other x",
    ] {
        let mut words = forbidden.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        words.for_each(|word| {
            command.arg(word);
        });
        let refused = command
            .query_async::<redis::Value>(&mut connection)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Some("NOPERM"), "{forbidden}");
    }
}
