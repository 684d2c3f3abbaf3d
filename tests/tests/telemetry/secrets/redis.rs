//! What Redis holds.

use system_tests::Stack;
use tokio::process::Command;

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
