use std::time::Duration;

use clap::Args;

use crate::{changes::Periods, store::Limits};

/// Settings of the features themselves, wherever they run.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Config {
    /// How long a session-scoped resource is kept, seconds.
    #[arg(long, env = "SESSION_RESOURCE_TTL", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub session_resource_ttl: u64,
    /// Session-scoped resources that one session may keep.
    #[arg(long, env = "SESSION_RESOURCE_COUNT", default_value_t = 20)]
    pub session_resource_count: usize,
    /// Bytes that one session's resources may hold in all.
    #[arg(long, env = "SESSION_RESOURCE_BYTES", default_value_t = 4 * 1024 * 1024)]
    pub session_resource_bytes: usize,
    /// Bytes that all session-scoped resources may hold where they are kept in this process; the oldest make room.
    #[arg(long, env = "SESSION_RESOURCE_TOTAL_BYTES", default_value_t = 256 * 1024 * 1024)]
    pub session_resource_total_bytes: usize,
    /// Period of the updates that subscribers of static resources get, milliseconds; 0 turns them off.
    #[arg(long, env = "RESOURCE_UPDATE_PERIOD_MS", default_value_t = 10_000)]
    pub resource_update_period_ms: u64,
    /// Period of the log messages of random level, milliseconds; 0 turns them off.
    #[arg(long, env = "RANDOM_LOG_PERIOD_MS", default_value_t = 20_000)]
    pub random_log_period_ms: u64,
    /// Period of the stderr notifications, milliseconds; 0 turns them off.
    #[arg(long, env = "STDERR_PERIOD_MS", default_value_t = 30_000)]
    pub stderr_period_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        let (limits, periods) = (Limits::default(), Periods::default());
        let ms = |period: Duration| u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
        Self {
            session_resource_ttl: limits.ttl.as_secs(),
            session_resource_count: limits.count,
            session_resource_bytes: limits.bytes,
            session_resource_total_bytes: limits.total_bytes,
            resource_update_period_ms: ms(periods.resource_updates),
            random_log_period_ms: ms(periods.random_log),
            stderr_period_ms: ms(periods.stderr),
        }
    }
}

impl Config {
    pub fn limits(&self) -> Limits {
        Limits {
            ttl: Duration::from_secs(self.session_resource_ttl),
            count: self.session_resource_count,
            bytes: self.session_resource_bytes,
            total_bytes: self.session_resource_total_bytes,
        }
    }

    pub fn periods(&self) -> Periods {
        Periods {
            resource_updates: Duration::from_millis(self.resource_update_period_ms),
            random_log: Duration::from_millis(self.random_log_period_ms),
            stderr: Duration::from_millis(self.stderr_period_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn defaults_are_the_same_with_and_without_a_command_line() {
        let parsed = Command::try_parse_from(["test"]).unwrap().config;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", Config::default()));
    }
}
