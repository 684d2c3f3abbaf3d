use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{ReservedPort, TlsFiles};
use crate::{Redis, RedisAddress};

/// A running `redis-server`. Dropping it ends the process and removes its directory.
pub struct RedisServer {
    process: Option<Child>,
    port: ReservedPort,
    /// Of the nodes of a cluster among each other.
    bus_port: ReservedPort,
    /// Where it speaks TLS, if it does.
    tls_port: Option<ReservedPort>,
    directory: PathBuf,
    arguments: Vec<String>,
    password: Option<String>,
}

impl RedisServer {
    /// Starts Redis without persistence.
    pub async fn start() -> Self {
        Self::start_with(&["--save", "", "--appendonly", "no"]).await
    }

    /// Starts Redis with further arguments, e.g. `--appendonly yes`.
    pub async fn start_with(arguments: &[&str]) -> Self {
        Self::start_over(None, arguments).await
    }

    /// The same, over TLS as well where there are files for it.
    pub async fn start_over(tls: Option<&TlsFiles>, arguments: &[&str]) -> Self {
        let mut words = arguments.iter();
        let password = words
            .find(|word| **word == "--requirepass")
            .and_then(|_| words.next());
        let mut server = Self::new(password.map(|&password| password.to_owned()));
        server.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        if arguments.contains(&"--cluster-enabled") {
            let bus_port = server.bus_port().to_string();
            server.arguments.extend(["--cluster-port".to_owned(), bus_port]);
        }
        if let Some(tls) = tls {
            for [name, value] in server.tls(tls) {
                server.arguments.extend([format!("--{name}"), value]);
            }
        }
        server.restart().await;
        server
    }

    /// Starts a sentinel, which keeps its settings in a file.
    pub(super) async fn start_sentinel(tls: Option<&TlsFiles>, settings: &str, password: &str) -> Self {
        let mut server = Self::new(Some(password.to_owned()));
        let file = server.directory.join("sentinel.conf");
        let tls = tls.map(|tls| server.tls(tls)).unwrap_or_default();
        let lines: String = tls
            .iter()
            .map(|[name, value]| format!("{name} {value}\n"))
            .collect();
        std::fs::write(&file, lines + settings).expect("a settings file for a sentinel");
        server.arguments = vec![file.display().to_string(), "--sentinel".to_owned()];
        server.restart().await;
        server
    }

    fn new(password: Option<String>) -> Self {
        let port = ReservedPort::new();
        let name = format!("everything-redis-{}-{}", std::process::id(), port.number());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("a directory for redis");
        Self {
            process: None,
            port,
            bus_port: ReservedPort::new(),
            tls_port: None,
            directory,
            arguments: Vec::new(),
            password,
        }
    }

    /// Settings that have it speak TLS, on a port of its own.
    fn tls(&mut self, files: &TlsFiles) -> Vec<[String; 2]> {
        let port = ReservedPort::new();
        let settings = files.settings(port.number());
        self.tls_port = Some(port);
        settings
    }

    /// Starts the process again on the same port and directory, and waits until it answers.
    pub async fn restart(&mut self) {
        self.spawn();
        self.answers().await;
    }

    /// Waits until it answers.
    pub(super) async fn answers(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let client = redis::Client::open(self.url()).expect("a valid address");
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
        // Settings files come first.
        let files = self
            .arguments
            .iter()
            .take_while(|argument| !argument.starts_with("--"));
        let rest = self
            .arguments
            .iter()
            .skip_while(|argument| !argument.starts_with("--"));
        let process = Command::new("redis-server")
            .args(files)
            .args([
                "--port",
                &self.port().to_string(),
                "--bind",
                "127.0.0.1",
                "--daemonize",
                "no",
            ])
            .arg("--dir")
            .arg(&self.directory)
            .args(rest)
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

    /// Halts the process, or lets it go on: its connections stay open, and nobody answers.
    pub fn signal(&self, signal: &str) {
        let pid = self.pid().expect("a running redis").to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{signal}");
    }

    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Where clients and other servers find it: with TLS, if it speaks it.
    pub fn public_port(&self) -> u16 {
        self.tls_port.as_ref().unwrap_or(&self.port).number()
    }

    pub(super) fn bus_port(&self) -> u16 {
        self.bus_port.number()
    }

    /// Where it keeps its data.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// With the password that it was started with, if any.
    pub fn url(&self) -> String {
        match &self.password {
            Some(password) => format!("redis://:{password}@127.0.0.1:{}", self.port()),
            None => format!("redis://127.0.0.1:{}", self.port()),
        }
    }

    pub fn address(&self) -> RedisAddress {
        RedisAddress::parse(&self.url()).expect("a valid address")
    }

    pub fn connect(&self) -> Redis {
        Redis::connect(&self.address()).expect("a valid address")
    }

    /// Forgets all data.
    pub async fn flush(&self) {
        let (): () = self.command(&["FLUSHALL"]).await;
    }

    /// Runs one command as `redis-cli` would, on a connection of its own.
    pub async fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.url()).expect("a valid address");
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
