//! Whether Redis can do its work: not only that it answers, but that it would take a write and keep what it has.

use std::time::Duration;

use redis::{RedisError, Value, aio::ConnectionLike, from_redis_value};
use tokio::{sync::watch, time::MissedTickBehavior};

use crate::{Error, client::Commands};

const INTERVAL: Duration = Duration::from_secs(1);

/// A script without flags counts as a write to Redis: whatever would refuse a write refuses this, and it leaves nothing
/// behind.
const WRITE_PROBE: &str = "#!lua\nreturn 1";

const OLDEST_MAJOR_VERSION: u32 = 7;

/// Looks every second until nobody wants to know, and logs each change once.
pub(crate) async fn watch(mut commands: Commands, health: watch::Sender<Result<(), Error>>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = health.closed() => return,
        }
        let now = probe(&mut commands).await;
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
async fn probe(connection: &mut impl ConnectionLike) -> Result<(), Error> {
    let mut pipeline = redis::pipe();
    pipeline
        .cmd("INFO")
        .arg("server")
        .cmd("INFO")
        .arg("memory")
        .cmd("EVAL")
        .arg(WRITE_PROBE)
        .arg(0);
    let replies = connection.req_packed_commands(&pipeline, 0, 3).await?;
    let [server, memory, write] =
        <[Value; 3]>::try_from(replies).map_err(|_| Error::Unexpected("a number of replies".to_owned()))?;
    let server = info(server)?;
    let version = field(&server, "redis_version").unwrap_or_default();
    if major(version).is_none_or(|major| major < OLDEST_MAJOR_VERSION) {
        return Err(Error::Version(version.to_owned()));
    }
    write.extract_error()?;
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
    }
}
