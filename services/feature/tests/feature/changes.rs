//! What happens by itself.

use std::{collections::HashMap, sync::Arc, time::Duration};

use change_feed::{Change, ChangeFeed, ChangeId, RedisFeed};
use everything_feature::{Config, changes, changes::Periods};
use everything_proto::{events::v1::change, feature::v1::LogLevel};
use redis_store::{Redis, testing::RedisServer};
use serving::CancellationToken;

use crate::harness::{Feature, quiet, serve, shared};

async fn sent(feed: &impl ChangeFeed) -> Vec<Change> {
    feed.since(ChangeId::ZERO)
        .await
        .unwrap()
        .into_iter()
        .map(|(_, change)| change)
        .collect()
}

fn count(changes: &[Change]) -> HashMap<&'static str, usize> {
    let mut counts = HashMap::new();
    for change in changes {
        assert_eq!(change.session_key, "", "for everybody");
        let kind = match change.change.as_ref().unwrap() {
            change::Change::ResourcesUpdated(updated) => {
                assert_eq!(updated.uri_prefixes, ["test://static/resource/"]);
                assert!(updated.uris.is_empty());
                "updated"
            }
            change::Change::Log(log) => {
                assert_ne!(log.level(), LogLevel::Unspecified);
                let level = log
                    .level()
                    .as_str_name()
                    .trim_start_matches("LOG_LEVEL_")
                    .to_lowercase();
                let data: String = serde_json::from_slice(&log.data_json).unwrap();
                assert_eq!(data.to_lowercase(), format!("{level}-level message"));
                "log"
            }
            change::Change::Stderr(stderr) => {
                assert!(stderr.content.ends_with(": A stderr message"));
                "stderr"
            }
            change::Change::ListChanged(_) => "list",
        };
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn each_change_comes_round_once_per_period_however_many_replicas_run() {
    let config = Config::default();
    let (dependencies, feed) = shared(&config);
    let (_one, _stop_one) = serve(config.clone(), dependencies.clone()).await;
    let (_two, _stop_two) = serve(config, dependencies).await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    let counts = count(&sent(&feed).await);
    assert_eq!(counts, HashMap::from([("updated", 6), ("log", 3), ("stderr", 2)]));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_the_shutdown() {
    let (dependencies, feed) = shared(&quiet());
    let shutdown = CancellationToken::new();
    let periods = Periods {
        resource_updates: Duration::from_millis(100),
        ..Periods::default()
    };
    let running = tokio::spawn(changes::run(dependencies.feed, periods, shutdown.clone()));
    tokio::time::sleep(Duration::from_millis(350)).await;
    shutdown.cancel();
    running.await.unwrap();
    let before = sent(&feed).await.len();
    assert_eq!(before, 3);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(sent(&feed).await.len(), before);
}

#[tokio::test(start_paused = true)]
async fn periods_of_zero_send_nothing() {
    let feature = Feature::start().await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(sent(&feature.feed).await, []);
}

#[tokio::test]
async fn two_replicas_on_one_redis_send_one() {
    let server = RedisServer::start().await;
    let shutdown = CancellationToken::new();
    let _stop = shutdown.clone().drop_guard();
    let zero = Duration::ZERO;
    let periods = Periods {
        resource_updates: Duration::from_millis(400),
        random_log: zero,
        stderr: zero,
    };
    for _ in 0..2 {
        let feed = Arc::new(RedisFeed::new(Redis::connect(&server.address()).unwrap()));
        tokio::spawn(changes::run(feed, periods.clone(), shutdown.clone()));
    }
    let feed = RedisFeed::new(Redis::connect(&server.address()).unwrap());
    let mut live = feed.subscribe().await.unwrap();
    let started = std::time::Instant::now();
    let mut times = Vec::new();
    for _ in 0..3 {
        let change = tokio::time::timeout(Duration::from_secs(10), live.next())
            .await
            .unwrap()
            .unwrap();
        times.push((change.0.ms, started.elapsed()));
    }
    for pair in times.windows(2) {
        let apart = pair[1].0 - pair[0].0;
        assert!(apart >= 300, "two within one period: {times:?}");
    }
}
