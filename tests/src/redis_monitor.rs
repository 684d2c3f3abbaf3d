//! Everything that Redis is told, as `MONITOR` shows it.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::Stack;

const LAST_WORD: &str = "the-end";
const PATIENCE: Duration = Duration::from_secs(10);

pub struct RedisMonitor {
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl RedisMonitor {
    /// Watches the Redis of this stack from now on.
    pub async fn begin(stack: &Stack) -> anyhow::Result<Self> {
        let redis = stack.redis().context("a stack without redis")?;
        let mut process = Command::new("redis-cli")
            .args(["-u", &redis.url(), "MONITOR"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(process.stdout.take().context("its output")?).lines();
        ensure!(lines.next_line().await?.as_deref() == Some("OK"));
        Ok(Self {
            lines,
            _process: process,
        })
    }

    /// All that was said until now.
    pub async fn end(mut self, stack: &Stack) -> anyhow::Result<Vec<String>> {
        let redis = stack.redis().context("a stack without redis")?;
        let _: i64 = redis.command(&["PUBLISH", LAST_WORD, "x"]).await;
        let mut seen = Vec::new();
        let watched = async {
            while let Some(line) = self.lines.next_line().await? {
                if line.contains(LAST_WORD) {
                    return Ok(seen);
                }
                seen.push(line);
            }
            anyhow::bail!("redis-cli ended")
        };
        timeout(PATIENCE, watched).await.context("in time")?
    }
}
