//! Makes faults happen.

use std::time::Duration;

use anyhow::{Context, ensure};
use redis_store::testing::RedisSentinel;
use tokio::time::{Instant, sleep};

use super::{
    cluster::{Cluster, Role, Signal, command},
    faults::{Fault, Kind},
    proxy::{Proxy, Weather},
};

/// For a replica that was asked to end, and for one that starts.
const PATIENCE: Duration = Duration::from_secs(30);
/// For what waited for one failover to go on before the next: longer than one try of an append takes, and its pause.
const CALM: Duration = Duration::from_secs(3);
const DELAY_MS: u64 = 40;
const NARROW_BYTES: usize = 200_000;
/// Less than tokens live, more than anything that is measured in seconds.
const CLOCK_MOVES: [&str; 2] = ["+20m", "-20m"];
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Makes one fault happen and heals it. Answers with what was hit.
pub async fn inject(cluster: &Cluster, fault: &Fault) -> anyhow::Result<String> {
    match fault.kind {
        Kind::Kill(role) => {
            let name = replica(cluster, role, fault)?;
            let starts = cluster.supervisor.starts(&name);
            cluster.supervisor.signal(&name, Signal::Kill);
            started_again(cluster, &name, starts).await?;
            Ok(name)
        }
        Kind::Freeze(role) => {
            let name = replica(cluster, role, fault)?;
            cluster.supervisor.signal(&name, Signal::Stop);
            sleep(fault.lasts).await;
            cluster.supervisor.signal(&name, Signal::Continue);
            Ok(name)
        }
        Kind::Roll(role) => {
            for name in cluster.names(role) {
                restart(cluster, &name, Signal::Terminate).await?;
            }
            Ok(format!("all of {}", role.name()))
        }
        Kind::RedisRestart => {
            let mut redis = cluster.redis.lock().await;
            redis.primary.kill();
            sleep(fault.lasts).await;
            redis.primary.start(None).await?;
            Ok("redis".to_owned())
        }
        Kind::RedisFailover => fail_over(cluster, fault).await,
        Kind::RedisDiskFull => fill_disk(cluster, fault).await,
        Kind::Reset => {
            let (name, proxy) = way(cluster, fault);
            proxy.reset();
            Ok(name)
        }
        Kind::Delay => weather(cluster, fault, Weather::Delayed(Duration::from_millis(DELAY_MS))).await,
        Kind::Partition => weather(cluster, fault, Weather::Partitioned).await,
        Kind::Narrow => weather(cluster, fault, Weather::Narrow(NARROW_BYTES)).await,
        Kind::Clock(role) => {
            let name = replica(cluster, role, fault)?;
            let by = CLOCK_MOVES[fault.choice as usize / 7 % CLOCK_MOVES.len()];
            ensure!(
                std::path::Path::new(FAKETIME).exists(),
                "{FAKETIME} is missing: run scripts/setup first"
            );
            cluster.supervisor.set_environment(&name, |environment| {
                let set = [
                    ("LD_PRELOAD", FAKETIME),
                    ("FAKETIME", by),
                    ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
                ];
                environment.extend(set.map(|(name, value)| (name.to_owned(), value.to_owned())));
            });
            let moved = restart(cluster, &name, Signal::Terminate).await;
            sleep(fault.lasts).await;
            cluster.supervisor.set_environment(&name, |environment| {
                environment.retain(|(name, _)| name != "LD_PRELOAD" && !name.starts_with("FAKETIME"));
            });
            moved?;
            restart(cluster, &name, Signal::Terminate).await?;
            Ok(format!("{name} by {by}"))
        }
    }
}

fn replica(cluster: &Cluster, role: Role, fault: &Fault) -> anyhow::Result<String> {
    let names = cluster.names(role);
    let index = fault.choice as usize % names.len().max(1);
    names.into_iter().nth(index).context("no such part")
}

/// Ends a replica and waits until it serves again.
async fn restart(cluster: &Cluster, name: &str, signal: Signal) -> anyhow::Result<()> {
    let starts = cluster.supervisor.starts(name);
    cluster.supervisor.signal(name, signal);
    started_again(cluster, name, starts).await?;
    let part = cluster.supervisor.part(name).context("no such part")?;
    part.healthy_within(PATIENCE).await
}

async fn started_again(cluster: &Cluster, name: &str, starts: u32) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while cluster.supervisor.starts(name) == starts {
        ensure!(Instant::now() < deadline, "{name} does not end and start again");
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// The port of the master that the sentinels have agreed on for a while, and that has a replica which confirms what is written:
/// who takes over must have it, and what waited for the failover before must have gone on.
async fn calm_master(sentinel: &mut RedisSentinel) -> anyhow::Result<u16> {
    let deadline = Instant::now() + PATIENCE;
    let mut calm: Option<(u16, Instant)> = None;
    loop {
        let master = sentinel.master().await;
        let (port, url) = (master.port(), master.url());
        let confirmed: i64 = command(&url, &["WAIT", "1", "500"]).await.unwrap_or_default();
        calm = match calm {
            Some((same, since)) if same == port && confirmed > 0 => {
                if since.elapsed() >= CALM {
                    return Ok(port);
                }
                calm
            }
            Some(_) | None => (confirmed > 0).then(|| (port, Instant::now())),
        };
        ensure!(Instant::now() < deadline, "no replica of redis catches up");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The primary is killed, and its replica takes over what it had. The old primary comes back as the replica.
async fn fail_over(cluster: &Cluster, fault: &Fault) -> anyhow::Result<String> {
    if let Some(sentinel) = &cluster.sentinel {
        let mut sentinel = sentinel.lock().await;
        let old = calm_master(&mut sentinel).await?;
        sentinel.master().await.kill();
        sentinel.failed_over_from(old).await;
        sentinel.restart_killed().await;
        return Ok(format!("redis from port {old}, by its sentinels"));
    }
    let mut redis = cluster.redis.lock().await;
    redis.replica.caught_up().await?;
    redis.primary.kill();
    // Somebody has to notice.
    sleep(fault.lasts / 4).await;
    let promoted: String = redis.replica.command(&["REPLICAOF", "NO", "ONE"]).await?;
    ensure!(promoted == "OK", "not promoted: {promoted}");
    let address = redis.replica.address();
    cluster.lead_to_redis(address);
    let pair = &mut *redis;
    std::mem::swap(&mut pair.primary, &mut pair.replica);
    redis.replica.start(Some(address)).await?;
    Ok(format!("redis to {address}"))
}

/// Redis that syncs every write ends itself when it cannot write; one that syncs every second refuses writes.
async fn fill_disk(cluster: &Cluster, fault: &Fault) -> anyhow::Result<String> {
    let mut redis = cluster.redis.lock().await;
    let refuses = fault.choice.is_multiple_of(2);
    if refuses {
        let () = redis
            .primary
            .command(&["CONFIG", "SET", "appendfsync", "everysec"])
            .await?;
    }
    ensure!(redis.primary.fill_disk(true), "the disk cannot be filled");
    sleep(fault.lasts).await;
    if redis.primary.runs() {
        redis.primary.fill_disk(false);
        let () = redis
            .primary
            .command(&["CONFIG", "SET", "appendfsync", "always"])
            .await?;
        Ok("redis, which refuses writes".to_owned())
    } else {
        redis.primary.start(None).await?;
        Ok("redis, which ends".to_owned())
    }
}

/// One way of all that there are, the clients' included.
fn way<'a>(cluster: &'a Cluster, fault: &Fault) -> (String, &'a Proxy) {
    let ways = cluster.ways();
    match ways.get(fault.choice as usize % (ways.len() + 1)) {
        Some(way) => (format!("{} → {}", way.from, way.to), &way.proxy),
        None => ("clients → edges".to_owned(), cluster.front()),
    }
}

async fn weather(cluster: &Cluster, fault: &Fault, weather: Weather) -> anyhow::Result<String> {
    let (name, proxy) = way(cluster, fault);
    proxy.set(weather);
    sleep(fault.lasts).await;
    proxy.set(Weather::Fair);
    Ok(name)
}
