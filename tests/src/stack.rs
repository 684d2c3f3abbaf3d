//! Whole stacks, as a test asks for them.

mod in_process;
mod processes;
mod proxy;

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::ExitStatus,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, ensure};
use redis_store::testing::RedisServer;
use tokio::time::{Instant, sleep};

use in_process::InProcess;
use processes::Processes;
pub(crate) use proxy::Proxy;

/// How long a stack may take to come up, on a busy machine.
const START: Duration = Duration::from_secs(30);

/// Which feature service is behind the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureKind {
    Everything,
    Conformance,
}

/// How the parts of the server are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The libraries, inside the test's process.
    InProcess,
    /// `everything`, once per edge.
    AllInOne,
    /// A process for each edge and for each replica of each service.
    Split,
}

/// What a stack is to be. Without further calls: one edge, everything in this process, in memory, with login.
#[derive(Clone, Debug)]
pub struct Builder {
    layout: Layout,
    redis: bool,
    durable: bool,
    redis_url: Option<String>,
    edges: usize,
    replicas: usize,
    feature: FeatureKind,
    auth: bool,
    settings: Vec<(String, String)>,
}

/// A running server. Dropping it ends every part at once.
pub struct Stack {
    proxy: Proxy,
    edges: Vec<SocketAddr>,
    parts: Parts,
    redis: Option<RedisServer>,
    directory: Directory,
}

enum Parts {
    InProcess(InProcess),
    Processes(Processes),
}

/// Sockets and logs of one stack. Removed with it, unless the test fails.
struct Directory(PathBuf);

/// What each layout needs to know.
struct Plan<'a> {
    builder: &'a Builder,
    /// What clients reach the server as: the proxy.
    base_uri: String,
    redis: Option<&'a RedisServer>,
    directory: PathBuf,
}

impl Stack {
    pub fn builder() -> Builder {
        Builder {
            layout: Layout::InProcess,
            redis: false,
            durable: false,
            redis_url: None,
            edges: 1,
            replicas: 1,
            feature: FeatureKind::Everything,
            auth: true,
            settings: Vec::new(),
        }
    }

    /// An address that reaches the edges in turn.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.proxy.origin())
    }

    /// An address at one edge.
    pub fn edge_url(&self, edge: usize, path: &str) -> String {
        format!("http://{}{path}", self.edges[edge])
    }

    /// Lets the proxy add this access token to requests that have none.
    pub fn authorize(&self, token: &str) {
        self.proxy.authorize(token);
    }

    /// Breaks off every event stream that is open, as a bad network would; answers with how many there were.
    pub fn break_streams(&self) -> usize {
        self.proxy.break_streams()
    }

    /// The Redis that the stack uses.
    pub fn redis(&self) -> Option<&RedisServer> {
        self.redis.as_ref()
    }

    pub fn redis_mut(&mut self) -> Option<&mut RedisServer> {
        self.redis.as_mut()
    }

    /// Ends one edge at once (processes: SIGKILL) and takes it out of the proxy's rotation.
    pub fn kill_edge(&mut self, edge: usize) {
        self.proxy.forget(self.edges[edge]);
        match &mut self.parts {
            Parts::InProcess(parts) => parts.kill_edge(edge),
            Parts::Processes(parts) => parts.kill(&format!("edge-{edge}")),
        }
    }

    /// Ends a process at once: `auth-0`, `session-1`, `feature-0`.
    pub fn kill(&mut self, part: &str) -> anyhow::Result<()> {
        match &mut self.parts {
            Parts::InProcess(_) => anyhow::bail!("only processes can be killed one by one"),
            Parts::Processes(parts) => parts.kill(part),
        }
        Ok(())
    }

    /// Sends a process a signal, by its name without `SIG`: `STOP`, `CONT`, `TERM`.
    pub fn signal(&self, part: &str, signal: &str) -> anyhow::Result<()> {
        match &self.parts {
            Parts::InProcess(_) => anyhow::bail!("only processes take signals"),
            Parts::Processes(parts) => parts.signal(part, signal),
        }
    }

    /// Whether a process has ended, and how.
    pub fn ended(&mut self, part: &str) -> anyhow::Result<Option<ExitStatus>> {
        match &mut self.parts {
            Parts::InProcess(_) => anyhow::bail!("only processes end one by one"),
            Parts::Processes(parts) => parts.ended(part),
        }
    }

    /// Asks a process to end (SIGTERM), and waits until it has. It must end in time, and well.
    pub async fn terminate(&mut self, part: &str) -> anyhow::Result<()> {
        self.signal(part, "TERM")?;
        let deadline = Instant::now() + START;
        loop {
            if let Some(status) = self.ended(part)? {
                ensure!(status.success(), "{part} ended with {status}");
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{part} does not end");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until every edge is ready.
    pub async fn is_ready(&self) -> anyhow::Result<()> {
        self.ready().await
    }

    /// Starts a killed process again, as it was.
    pub fn restart(&mut self, part: &str) -> anyhow::Result<()> {
        match &mut self.parts {
            Parts::InProcess(_) => anyhow::bail!("only processes can be started one by one"),
            Parts::Processes(parts) => parts.restart(part),
        }
    }

    /// Changes a setting of one process, from its next start on.
    pub fn set(&mut self, part: &str, name: &str, value: &str) -> anyhow::Result<()> {
        match &mut self.parts {
            Parts::InProcess(_) => anyhow::bail!("only processes have settings of their own"),
            Parts::Processes(parts) => parts.set(part, name, value),
        }
        Ok(())
    }

    /// Process ids by name, where the parts are processes.
    pub fn pids(&self) -> Vec<(String, u32)> {
        match &self.parts {
            Parts::InProcess(_) => Vec::new(),
            Parts::Processes(parts) => parts.pids(),
        }
    }

    /// Where a test may write; gone with the stack unless the test fails.
    pub fn directory(&self) -> &std::path::Path {
        &self.directory.0
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let client = reqwest::Client::new();
        let deadline = Instant::now() + START;
        for edge in 0..self.edges.len() {
            let url = self.edge_url(edge, "/readyz");
            loop {
                let answer = match client.get(&url).timeout(Duration::from_secs(2)).send().await {
                    Ok(response) if response.status().is_success() => break,
                    Ok(response) => response.text().await.unwrap_or_default(),
                    Err(error) => error.to_string(),
                };
                ensure!(
                    Instant::now() < deadline,
                    "edge {edge} does not get ready: {answer}\n{}",
                    self.logs()
                );
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// The last lines of every process, for failure messages.
    pub fn logs(&self) -> String {
        match &self.parts {
            Parts::InProcess(_) => String::new(),
            Parts::Processes(parts) => parts.logs(),
        }
    }
}

impl Builder {
    /// State in a Redis of the stack's own.
    pub fn redis(mut self) -> Self {
        self.redis = true;
        self
    }

    /// The same, and what Redis has acknowledged outlives it.
    pub fn durable_redis(self) -> Self {
        Self {
            durable: true,
            ..self.redis()
        }
    }

    /// With processes: Redis that somebody else has started, and who keeps it.
    pub fn redis_at(self, url: &str) -> Self {
        Self {
            redis_url: Some(url.to_owned()),
            ..self
        }
    }

    pub fn edges(mut self, edges: usize) -> Self {
        self.edges = edges;
        self
    }

    /// Replicas of each service.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    pub fn feature(mut self, feature: FeatureKind) -> Self {
        self.feature = feature;
        self
    }

    pub fn auth_disabled(mut self) -> Self {
        self.auth = false;
        self
    }

    /// Whether clients have to log in.
    pub fn has_login(&self) -> bool {
        self.auth
    }

    pub fn in_process(mut self) -> Self {
        self.layout = Layout::InProcess;
        self
    }

    /// Real processes, one per part. Needs Redis.
    pub fn processes(mut self) -> Self {
        self.layout = Layout::Split;
        self
    }

    /// The `everything` binary, once per edge.
    pub fn all_in_one(mut self) -> Self {
        self.layout = Layout::AllInOne;
        self
    }

    /// An environment variable for every part. Processes only.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    pub async fn start(self) -> anyhow::Result<Stack> {
        let several = self.edges > 1 || self.replicas > 1 || self.layout == Layout::Split;
        ensure!(
            self.redis || self.redis_url.is_some() || !several || self.layout == Layout::InProcess,
            "several processes share nothing without redis"
        );
        let directory = Directory::create()?;
        let redis = match (self.redis, self.durable) {
            (false, _) => None,
            (true, false) => Some(RedisServer::start().await),
            (true, true) => {
                let keep = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
                Some(RedisServer::start_with(&keep).await)
            }
        };
        let proxy = Proxy::start().await?;
        let plan = Plan {
            builder: &self,
            base_uri: proxy.origin(),
            redis: redis.as_ref(),
            directory: directory.0.clone(),
        };
        let (edges, parts) = match self.layout {
            Layout::InProcess => {
                let parts = InProcess::start(&plan).await?;
                (parts.edges(), Parts::InProcess(parts))
            }
            Layout::AllInOne | Layout::Split => {
                let parts = Processes::start(&plan)?;
                (parts.edges(), Parts::Processes(parts))
            }
        };
        proxy.serve(&edges);
        let stack = Stack {
            proxy,
            edges,
            parts,
            redis,
            directory,
        };
        stack.ready().await?;
        Ok(stack)
    }
}

impl Directory {
    fn create() -> anyhow::Result<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Short: a socket's path may have 107 bytes.
        let path = std::env::temp_dir().join(format!("everything-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
