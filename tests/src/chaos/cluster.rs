//! A deployment: real processes under a supervisor, Redis with a replica, and a proxy on every way between two parts.

mod part;
mod redis;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::ensure;
use redis_store::testing::{RedisSentinel, ReservedPort};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

pub use self::{
    part::{Part, Signal, Supervisor},
    redis::{RedisNode, command},
};
use super::proxy::{Proxy, Target};
use crate::tools;

/// Every edge must open what another one sealed.
const REQUEST_STATE_KEYS: &str = "what every edge of a cluster under fire seals with";
const ADMIN_ADDR: &str = "ADMIN_ADDR";
/// How long everything may take to come up on a busy machine.
const START: Duration = Duration::from_secs(60);
const HTTP_TIMEOUT: Duration = Duration::from_secs(5);

/// What a deployment is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    pub edges: usize,
    /// Of each service.
    pub replicas: usize,
    /// Whether clients have to log in.
    pub login: bool,
    /// Whether Redis is found through sentinels, which replace a master that dies. No proxy is in between then.
    pub sentinels: bool,
    /// Whether every part shows its metrics.
    pub admin: bool,
    /// Environment of every part, beside what it needs.
    pub settings: Vec<(String, String)>,
}

/// The parts that are replicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Edge,
    Auth,
    Session,
    Feature,
}

/// The way from one part to another.
pub struct Way {
    pub from: String,
    pub to: String,
    pub proxy: Proxy,
}

/// A running deployment. Dropping it ends every process.
pub struct Cluster {
    plan: Plan,
    /// From clients to the edges in turn, as through a load balancer on layer 4.
    front: Proxy,
    ways: Vec<Way>,
    edges: Vec<ReservedPort>,
    admins: Vec<ReservedPort>,
    pub supervisor: Supervisor,
    pub redis: Mutex<RedisPair>,
    pub sentinel: Option<Mutex<RedisSentinel>>,
    directory: PathBuf,
}

/// The primary, and the replica that takes over.
pub struct RedisPair {
    pub primary: RedisNode,
    pub replica: RedisNode,
}

impl Default for Plan {
    fn default() -> Self {
        let settings = [
            ("SESSION_HEARTBEAT_MS", "500"),
            ("SESSION_EDGE_GRACE_MS", "2000"),
            ("SSE_KEEP_ALIVE_SECS", "2"),
            ("TOKEN_CACHE_SECS", "10"),
            ("DRAIN_TIMEOUT_SECS", "5"),
            ("GRPC_DRAIN_MS", "3000"),
            // A replica may take over at any time, and nothing may be lost with the old primary.
            ("REDIS_WAIT_REPLICAS", "1"),
        ];
        Self {
            edges: 2,
            replicas: 2,
            login: true,
            sentinels: false,
            admin: false,
            settings: settings
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        }
    }
}

impl Plan {
    /// With a Redis that sentinels watch.
    pub fn behind_sentinels(self) -> Self {
        Self {
            sentinels: true,
            ..self
        }
    }

    /// Every part shows its metrics.
    pub fn with_admin(self) -> Self {
        Self { admin: true, ..self }
    }

    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Edge, Self::Auth, Self::Session, Self::Feature];

    pub fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Auth => "auth",
            Self::Session => "session",
            Self::Feature => "feature",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Edge => "everything-edge",
            Self::Auth => "everything-auth",
            Self::Session => "everything-session",
            // The fixtures, which say numbered things.
            Self::Feature => "everything-conformance",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Edge => "",
            Self::Auth => "AUTH_URL",
            Self::Session => "SESSION_URL",
            Self::Feature => "FEATURE_URL",
        }
    }
}

impl Cluster {
    /// Everything is up and ready. Logs, sockets and data of Redis go to `directory`, which stays.
    pub async fn start(plan: Plan, directory: &Path) -> anyhow::Result<Arc<Self>> {
        std::fs::create_dir_all(directory)?;
        let mut primary = RedisNode::new(directory, "redis-a")?;
        let mut replica = RedisNode::new(directory, "redis-b")?;
        primary.start(None).await?;
        replica.start(Some(primary.address())).await?;
        let sentinel = match plan.sentinels {
            true => Some(RedisSentinel::start().await),
            false => None,
        };
        let sentinels = sentinel
            .as_ref()
            .map(|sentinel| (sentinel.url(), sentinel.password().to_owned()));
        let front = Proxy::start(Vec::new()).await?;
        let mut cluster = Self {
            plan,
            front,
            ways: Vec::new(),
            edges: Vec::new(),
            admins: Vec::new(),
            supervisor: Supervisor::start(),
            redis: Mutex::new(RedisPair { primary, replica }),
            sentinel: sentinel.map(Mutex::new),
            directory: directory.to_owned(),
        };
        let redis = Target::Tcp(cluster.redis.get_mut().primary.address());
        for role in cluster.services() {
            for name in cluster.names(role) {
                let mut environment = vec![(
                    "LISTEN_ADDR".to_owned(),
                    format!("unix:{}", cluster.socket(&name).display()),
                )];
                let url = match &sentinels {
                    Some((url, password)) => {
                        environment.push(("REDIS_SENTINEL_PASSWORD".to_owned(), password.clone()));
                        url.clone()
                    }
                    None => format!("redis://{}", cluster.way(&name, "redis", redis.clone()).await?),
                };
                environment.push(("REDIS_URL".to_owned(), url));
                cluster.run(role, name, environment)?;
            }
        }
        for name in cluster.names(Role::Edge) {
            let port = ReservedPort::new();
            let mut environment = vec![
                ("HOST".to_owned(), port.address().ip().to_string()),
                ("PORT".to_owned(), port.number().to_string()),
                ("REQUEST_STATE_KEYS".to_owned(), REQUEST_STATE_KEYS.to_owned()),
            ];
            for role in cluster.services() {
                let mut replicas = Vec::new();
                for replica in cluster.names(role) {
                    let target = Target::Unix(cluster.socket(&replica));
                    replicas.push(format!("http://{}", cluster.way(&name, &replica, target).await?));
                }
                environment.push((role.variable().to_owned(), replicas.join(",")));
            }
            cluster.edges.push(port);
            cluster.run(Role::Edge, name, environment)?;
        }
        let edges = cluster.edges.iter().map(|port| Target::Tcp(port.address()));
        cluster.front.lead_to(edges.collect());
        let deadline = Instant::now() + START;
        while let Err(reason) = cluster.is_ready().await {
            ensure!(
                Instant::now() < deadline,
                "the cluster does not get ready: {reason}\n{}",
                cluster.supervisor.logs()
            );
            sleep(Duration::from_millis(50)).await;
        }
        Ok(Arc::new(cluster))
    }

    async fn way(&mut self, from: &str, to: &str, target: Target) -> anyhow::Result<SocketAddr> {
        let proxy = Proxy::start(vec![target]).await?;
        let address = proxy.address();
        self.ways.push(Way {
            from: from.to_owned(),
            to: to.to_owned(),
            proxy,
        });
        Ok(address)
    }

    fn run(
        &mut self,
        role: Role,
        name: String,
        mut environment: Vec<(String, String)>,
    ) -> anyhow::Result<()> {
        let mode = if self.plan.login { "internal" } else { "disabled" };
        for (variable, value) in [
            ("BASE_URI", self.origin().as_str()),
            ("AUTH_MODE", mode),
            // What ran, for the checker; beside it only what somebody should know.
            ("RUST_LOG", "warn,everything_conformance::tools::numbered=info"),
            ("NO_COLOR", "1"),
        ] {
            environment.push((variable.to_owned(), value.to_owned()));
        }
        if self.plan.admin {
            let port = ReservedPort::new();
            environment.push((ADMIN_ADDR.to_owned(), port.address().to_string()));
            self.admins.push(port);
        }
        environment.extend(self.plan.settings.iter().cloned());
        let log = self.log_of(&name);
        self.supervisor.run(Part {
            name,
            program: tools::binary(role.program())?,
            environment,
            log,
        })
    }

    /// What clients reach the server as.
    pub fn origin(&self) -> String {
        format!("http://{}", self.front.address())
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    pub fn front(&self) -> &Proxy {
        &self.front
    }

    pub fn ways(&self) -> &[Way] {
        &self.ways
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The services that this deployment has.
    pub fn services(&self) -> Vec<Role> {
        let login = self.plan.login;
        let here = |role: &Role| *role != Role::Edge && (login || *role != Role::Auth);
        Role::ALL.into_iter().filter(here).collect()
    }

    /// The processes of one role.
    pub fn names(&self, role: Role) -> Vec<String> {
        let count = match role {
            Role::Edge => self.plan.edges,
            Role::Auth | Role::Session | Role::Feature => self.plan.replicas,
        };
        (0..count)
            .map(|number| format!("{}-{number}", role.name()))
            .collect()
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.sock"))
    }

    pub fn log_of(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.log"))
    }

    /// Where the part shows its metrics.
    pub fn admin_of(&self, name: &str) -> Option<SocketAddr> {
        let part = self.supervisor.part(name)?;
        let set = part.environment.iter().find(|(name, _)| name == ADMIN_ADDR)?;
        set.1.parse().ok()
    }

    /// Whether every edge says that it is ready.
    pub async fn is_ready(&self) -> anyhow::Result<()> {
        let client = reqwest::Client::builder().timeout(HTTP_TIMEOUT).build()?;
        for edge in &self.edges {
            let response = client
                .get(format!("http://{}/readyz", edge.address()))
                .send()
                .await?;
            let status = response.status();
            ensure!(
                status.is_success(),
                "{status}: {}",
                response.text().await.unwrap_or_default()
            );
        }
        Ok(())
    }

    /// Where the services are led to when they connect to Redis from now on. What is connected is cut off.
    pub fn lead_to_redis(&self, address: SocketAddr) {
        for way in self.ways.iter().filter(|way| way.to == "redis") {
            way.proxy.lead_to(vec![Target::Tcp(address)]);
            way.proxy.reset();
        }
    }
}
