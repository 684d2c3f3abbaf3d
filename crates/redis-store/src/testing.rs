//! A real `redis-server` for tests, on a port of its own, ended with its handle.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{Redis, RedisAddress};

/// A running `redis-server`. Dropping it ends the process and removes its directory.
pub struct RedisServer {
    process: Option<Child>,
    port: u16,
    directory: PathBuf,
    arguments: Vec<String>,
}

impl RedisServer {
    /// Starts Redis without persistence.
    pub async fn start() -> Self {
        Self::start_with(&["--save", "", "--appendonly", "no"]).await
    }

    /// Starts Redis with further arguments, e.g. `--appendonly yes`.
    pub async fn start_with(arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let directory = std::env::temp_dir().join(format!("everything-redis-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory for redis");
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut server = Self {
            process: None,
            port,
            directory,
            arguments,
        };
        server.restart().await;
        server
    }

    /// Starts the process again on the same port and directory, and waits until it answers.
    pub async fn restart(&mut self) {
        self.spawn();
        let deadline = Instant::now() + Duration::from_secs(10);
        let client = self.address().client().expect("a valid address");
        loop {
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await
                && redis::cmd("PING")
                    .query_async::<()>(&mut connection)
                    .await
                    .is_ok()
            {
                return;
            }
            assert!(Instant::now() < deadline, "redis-server did not come up");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts the process again with further arguments, which stay, and does not wait for it.
    pub fn restart_with(&mut self, arguments: &[&str]) {
        self.arguments
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self.spawn();
    }

    fn spawn(&mut self) {
        self.kill();
        let process = Command::new("redis-server")
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--daemonize",
                "no",
            ])
            .arg("--dir")
            .arg(&self.directory)
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed (scripts/test does it)");
        self.process = Some(process);
    }

    /// Ends the process at once (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            _ = process.kill();
            _ = process.wait();
        }
    }

    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps its data.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// With the password that it was started with, if any.
    pub fn url(&self) -> String {
        let mut words = self.arguments.iter().map(String::as_str);
        match words
            .find(|word| *word == "--requirepass")
            .and_then(|_| words.next())
        {
            Some(password) => format!("redis://:{password}@127.0.0.1:{}", self.port),
            None => format!("redis://127.0.0.1:{}", self.port),
        }
    }

    pub fn address(&self) -> RedisAddress {
        RedisAddress::parse(&self.url()).expect("a valid address")
    }

    pub fn connect(&self) -> Redis {
        Redis::connect(&self.address()).expect("a valid address")
    }

    /// Runs one command as `redis-cli` would, on a connection of its own.
    pub async fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = self.address().client().expect("a valid address");
        let mut connection = client
            .get_multiplexed_async_connection()
            .await
            .expect("redis answers");
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command
            .query_async(&mut connection)
            .await
            .expect("redis takes the command")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        _ = std::fs::remove_dir_all(&self.directory);
    }
}
