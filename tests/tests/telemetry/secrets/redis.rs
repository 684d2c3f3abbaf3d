//! What Redis is told, and what it holds.

use std::{process::Stdio, time::Duration};

use system_tests::Stack;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// Everything that Redis is told, from now on.
pub struct Watching {
    lines: Lines<BufReader<ChildStdout>>,
    _monitor: Child,
}

impl Watching {
    pub async fn begin(stack: &Stack) -> Self {
        let mut monitor = Command::new("redis-cli")
            .args(["-u", &stack.redis().unwrap().url(), "MONITOR"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(monitor.stdout.take().unwrap()).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "OK");
        Self {
            lines,
            _monitor: monitor,
        }
    }

    pub async fn end(mut self, stack: &Stack) -> Vec<String> {
        let _: i64 = stack.redis().unwrap().command(&["PUBLISH", "the-end", "x"]).await;
        let mut seen = Vec::new();
        let watched = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if line.contains("the-end") {
                    return;
                }
                seen.push(line);
            }
        };
        timeout(Duration::from_secs(20), watched).await.unwrap();
        seen
    }
}

/// Everything that Redis holds, a line per key, as it is stored.
pub async fn stored(stack: &Stack) -> Vec<String> {
    let redis = stack.redis().unwrap();
    let keys: Vec<String> = redis.command(&["KEYS", "*"]).await;
    let mut lines = Vec::new();
    for key in keys {
        let output = Command::new("redis-cli")
            .args(["-u", &redis.url(), "EVAL"])
            .arg(
                "local t = redis.call('TYPE', KEYS[1]).ok \
                 if t == 'string' then return redis.call('GET', KEYS[1]) end \
                 if t == 'hash' then return redis.call('HGETALL', KEYS[1]) end \
                 if t == 'set' then return redis.call('SMEMBERS', KEYS[1]) end \
                 if t == 'zset' then return redis.call('ZRANGE', KEYS[1], 0, -1) end \
                 if t == 'list' then return redis.call('LRANGE', KEYS[1], 0, -1) end \
                 if t == 'stream' then return redis.call('XRANGE', KEYS[1], '-', '+') end \
                 return t",
            )
            .args(["1", &key])
            .output()
            .await
            .unwrap();
        lines.push(format!("{key} {}", String::from_utf8_lossy(&output.stdout)));
    }
    lines
}
