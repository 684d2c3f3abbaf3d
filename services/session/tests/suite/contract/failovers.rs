//! What was acknowledged is there after a failover, once and in order, when a replica had to confirm it.

use redis_store::{
    Redis, RedisAddress,
    testing::{RedisCluster, RedisSentinel},
};

use super::*;

/// Appends until it is told to stop; answers what was acknowledged.
async fn write(
    store: Arc<dyn Store>,
    session: Session,
    mut stop: tokio::sync::watch::Receiver<()>,
) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let text = number.to_string();
        let entries = [message(&text)];
        tokio::select! {
            _ = stop.changed() => break,
            outcome = append(&*store, &session, "g", &entries) => match outcome {
                Ok(_) => acknowledged.push(text),
                // Away for a while. What became of this one is not known.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            },
        }
    }
    acknowledged
}

async fn nothing_acknowledged_is_lost(address: &RedisAddress, fail_over: impl AsyncFnOnce(&Session)) {
    let redis = Redis::connect(address).unwrap();
    let settings = StoreSettings {
        log_max_entries: 1_000_000,
        ..Default::default()
    };
    let store: Arc<dyn Store> = Arc::new(RedisStore::new(&redis, settings));
    tokio::time::timeout(PATIENCE, redis.health().wait_for(Result::is_ok))
        .await
        .unwrap()
        .unwrap();
    let session = session(&*store).await;
    let (stop, stopped) = tokio::sync::watch::channel(());
    let writing = tokio::spawn(write(store.clone(), session.clone(), stopped));
    tokio::time::sleep(Duration::from_millis(300)).await;
    fail_over(&session).await;
    let back = async {
        while store
            .read(&session.id, &stream("g"), Position::ZERO)
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), back).await.unwrap();
    stop.send(()).unwrap();
    let acknowledged = writing.await.unwrap();
    assert!(acknowledged.len() > 10, "{}", acknowledged.len());
    let mut kept = texts(&read_all(&*store, &session, "g", Position::ZERO).await);
    // An append without an answer may be in the log, but not twice, and nothing stands before its time.
    assert!(kept.is_sorted_by(|a, b| a.parse::<u64>().unwrap() < b.parse::<u64>().unwrap()));
    kept.retain(|text| acknowledged.contains(text));
    assert_eq!(kept.len(), acknowledged.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_sentinels() {
    let mut sentinel = RedisSentinel::start().await;
    let address = sentinel.address_waiting_for(1);
    nothing_acknowledged_is_lost(&address, async |_| {
        let old = sentinel.master_port().await;
        sentinel.master().await.kill();
        sentinel.failed_over_from(old).await;
        // Comes back as the replica that has to confirm.
        let dead = sentinel.servers.iter_mut().find(|server| server.pid().is_none());
        dead.unwrap().restart().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_cluster() {
    let mut cluster = RedisCluster::start_with_replicas().await;
    let address = cluster.address_waiting_for(1);
    nothing_acknowledged_is_lost(&address, async |session| {
        let id = session.id.as_str();
        let dead = cluster.fail_over(&format!("session:{{{id}}}:owner")).await;
        cluster.nodes[dead].restart().await;
    })
    .await;
}
