//! Redis as an operator would run it for data that must not be lost: every write on disk before it is answered, and a
//! replica that can take over.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use ::redis::AsyncConnectionConfig;
use anyhow::{Context, ensure};
use redis_store::testing::ReservedPort;
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(20);
const COMMAND: Duration = Duration::from_secs(10);

/// One `redis-server`, ended with its handle.
pub struct RedisNode {
    port: ReservedPort,
    directory: PathBuf,
    child: Option<Child>,
}

impl RedisNode {
    pub fn new(directory: &Path, name: &str) -> anyhow::Result<Self> {
        let directory = directory.join(name);
        std::fs::create_dir_all(&directory)?;
        Ok(Self {
            port: ReservedPort::new(),
            directory,
            child: None,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Starts it, on the data that it left, as a replica of another node or as the primary.
    pub async fn start(&mut self, primary: Option<SocketAddr>) -> anyhow::Result<()> {
        self.kill();
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("redis.log"))?;
        // A write beyond the limit on file sizes must be an error, and not the end of the process.
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; exec redis-server \"$@\"", "redis-server"])
            .args([
                "--bind",
                &self.address().ip().to_string(),
                "--port",
                &self.port.number().to_string(),
            ])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""])
            .args(["--repl-diskless-sync-delay", "0", "--repl-timeout", "10"])
            .arg("--dir")
            .arg(&self.directory);
        if let Some(primary) = primary {
            let (ip, port) = (primary.ip().to_string(), primary.port().to_string());
            command.args(["--replicaof", &ip, &port]);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn();
        self.child = Some(child.context("cannot run redis-server")?);
        let deadline = Instant::now() + PATIENCE;
        while self.command::<String>(&["PING"]).await.is_err() {
            ensure!(
                Instant::now() < deadline,
                "redis does not come up at {}",
                self.address()
            );
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            _ = child.kill();
            _ = child.wait();
        }
    }

    /// Files can grow no further, as on a full disk; or can again.
    pub fn fill_disk(&self, full: bool) -> bool {
        let Some(pid) = self.pid() else { return false };
        let limit = if full {
            "--fsize=1:unlimited"
        } else {
            "--fsize=unlimited:unlimited"
        };
        let status = Command::new("prlimit")
            .args(["--pid", &pid.to_string(), limit])
            .status();
        status.is_ok_and(|status| status.success())
    }

    /// Whether the process is there.
    pub fn runs(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Waits until this replica has everything that its primary has.
    pub async fn caught_up(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let info: String = self.command(&["INFO", "replication"]).await.unwrap_or_default();
            if info.contains("master_link_status:up") && info.contains("master_sync_in_progress:0") {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the replica does not catch up: {info}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// One command on a connection of its own.
    pub async fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> anyhow::Result<T> {
        command(&format!("redis://{}", self.address()), words).await
    }
}

/// One command on a connection of its own.
pub async fn command<T: redis::FromRedisValue>(url: &str, words: &[&str]) -> anyhow::Result<T> {
    let client = redis::Client::open(url)?;
    let work = async {
        // The timeouts that it has by default are for machines that are not busy.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(COMMAND))
            .set_response_timeout(Some(COMMAND));
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        redis::cmd(words[0])
            .arg(&words[1..])
            .query_async(&mut connection)
            .await
    };
    Ok(tokio::time::timeout(COMMAND, work).await??)
}

impl Drop for RedisNode {
    fn drop(&mut self) {
        self.kill();
    }
}
