//! Whether Redis can do its work: not only that it answers, but that it would take a write and keep what it has.

use std::time::Duration;

use redis::{RedisError, Value, from_redis_value};
use tokio::{sync::watch, time::MissedTickBehavior};

use crate::{Error, cluster::all_masters, commands::Route, link::Link};

const INTERVAL: Duration = Duration::from_secs(1);

/// A script without flags counts as a write to Redis: whatever would refuse a write refuses this, and it leaves nothing
/// behind.
const WRITE_PROBE: &str = "#!lua\nreturn 1";

const OLDEST_MAJOR_VERSION: u32 = 7;

/// A replica that was last heard of longer ago, s, would not confirm a write in time.
const MOST_LAG_S: u64 = 3;

/// Looks every second until nobody wants to know, and logs each change once.
pub(crate) async fn watch(route: Route, wait_replicas: u8, health: watch::Sender<Result<(), Error>>) {
    let probe = |link: Link| probe(link, wait_replicas);
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = health.closed() => return,
        }
        let now = match &route {
            Route::One(link) => probe(link.clone()).await,
            Route::Cluster(cluster) => all_masters(cluster, probe).await,
        };
        health.send_if_modified(|before| {
            let changed = *before != now;
            if changed {
                match &now {
                    Ok(()) => tracing::info!("redis is ready"),
                    Err(error) => tracing::warn!(reason = error.reason(), %error, "redis is not ready"),
                }
                *before = now;
            }
            changed
        });
    }
}

/// Whether this server can do its work.
async fn probe(link: Link, wait_replicas: u8) -> Result<(), Error> {
    let mut pipeline = redis::pipe();
    pipeline
        .cmd("INFO")
        .arg("server")
        .cmd("INFO")
        .arg("memory")
        .cmd("INFO")
        .arg("replication")
        .cmd("EVAL")
        .arg(WRITE_PROBE)
        .arg(0);
    let live = link.live().await?;
    let replies = link.send(&live, &pipeline, 0, 4).await?;
    let [server, memory, replication, write] =
        <[Value; 4]>::try_from(replies).map_err(|_| Error::Unexpected("a number of replies".to_owned()))?;
    let server = info(server)?;
    let version = field(&server, "redis_version").unwrap_or_default();
    if major(version).is_none_or(|major| major < OLDEST_MAJOR_VERSION) {
        return Err(Error::Version(version.to_owned()));
    }
    write.extract_error()?;
    if replicas(&info(replication)?) < usize::from(wait_replicas) {
        return Err(Error::TooFewReplicas);
    }
    let memory = info(memory)?;
    match (field(&memory, "maxmemory"), field(&memory, "maxmemory_policy")) {
        // Without a limit nothing is evicted, whatever the policy.
        (Some("0"), _) | (_, Some("noeviction") | None) => Ok(()),
        (_, Some(policy)) => Err(Error::Evicts(policy.to_owned())),
    }
}

fn info(reply: Value) -> Result<String, Error> {
    let text = from_redis_value(reply.extract_error()?);
    text.map_err(|error| RedisError::from(error).into())
}

/// The value of one line of `INFO`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim())
}

/// How many replicas keep up: `slave<n>:ip=…,port=…,state=online,offset=…,lag=<s>`.
fn replicas(info: &str) -> usize {
    let keeps_up = |line: &&str| {
        let lag = line.split(',').find_map(|part| part.strip_prefix("lag="));
        let lag: Option<u64> = lag.and_then(|lag| lag.trim().parse().ok());
        line.contains("state=online") && lag.is_some_and(|lag| lag <= MOST_LAG_S)
    };
    info.lines()
        .filter(|line| line.starts_with("slave"))
        .filter(keeps_up)
        .count()
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_read_by_line() {
        let text = "# Server\r\nredis_version:7.0.15\r\nmaxmemory:0\r\n";
        assert_eq!(field(text, "redis_version"), Some("7.0.15"));
        assert_eq!(field(text, "version"), None);
        assert_eq!(major("7.0.15"), Some(7));
        assert_eq!(major("unstable"), None);
        let replication = "role:master\r\nconnected_slaves:2\r\n\
            slave0:ip=a,port=1,state=online,offset=1,lag=0\r\n\
            slave1:ip=b,port=2,state=online,offset=1,lag=9\r\n\
            slave2:ip=c,port=3,state=wait_bgsave,offset=0,lag=0\r\n";
        assert_eq!(replicas(replication), 1);
    }
}
