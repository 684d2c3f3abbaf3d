//! Replicas of the service, and edges that talk to them.

mod edge;
mod entries;

use std::{sync::Arc, time::Duration};

use change_feed::{ChangeFeed, MemoryFeed, RedisFeed};
use everything_proto::session::v1::{CreateRequest, Session, session_service_client::SessionServiceClient};
use everything_session::{Config, Service};
use redis_store::testing::RedisServer;
use serving::{CancellationToken, GrpcChannel, Upstream, UpstreamSettings};

pub use edge::Edge;
pub use entries::{append, append_as, asking, last, message, open, open_repeatable, text};

pub const PATIENCE: Duration = Duration::from_secs(10);
pub const ALICE: &str = "alice";
pub const MALLORY: &str = "mallory";

pub type Client = SessionServiceClient<GrpcChannel>;

/// One or two replicas over one store.
pub struct Stack {
    pub replicas: Vec<Replica>,
    pub feed: Arc<dyn ChangeFeed>,
    pub redis: Option<RedisServer>,
}

pub struct Replica {
    pub shutdown: CancellationToken,
    upstream: Upstream,
}

pub fn quick() -> Config {
    Config {
        session_heartbeat_ms: 100,
        session_edge_grace_ms: 300,
        ..Config::default()
    }
}

impl Stack {
    pub async fn memory() -> Self {
        Self::memory_with(quick()).await
    }

    pub async fn memory_with(config: Config) -> Self {
        let feed = Arc::new(MemoryFeed::new());
        let replica = Replica::start(Service::build_memory(config, feed.clone())).await;
        Self {
            replicas: vec![replica],
            feed,
            redis: None,
        }
    }

    /// Two replicas.
    pub async fn redis() -> Self {
        Self::redis_with(quick()).await
    }

    pub async fn redis_with(config: Config) -> Self {
        let server = RedisServer::start().await;
        let mut replicas = Vec::new();
        for _ in 0..2 {
            replicas.push(Replica::start(Service::build_redis(config.clone(), &server.connect())).await);
        }
        Self {
            replicas,
            feed: Arc::new(RedisFeed::new(server.connect())),
            redis: Some(server),
        }
    }

    /// The `n`th caller's replica.
    pub fn client(&self, n: usize) -> Client {
        self.replicas[n % self.replicas.len()].client()
    }

    pub async fn edge(&self, n: usize, id: &str) -> Edge {
        self.replicas[n % self.replicas.len()].edge(id).await
    }

    pub async fn session(&self, user: &str) -> Session {
        let request = CreateRequest {
            user_id: user.to_owned(),
            protocol_version: "2025-11-25".to_owned(),
            client_info_json: br#"{"name":"test"}"#.as_slice().into(),
            client_capabilities_json: b"{}".as_slice().into(),
        };
        self.client(0)
            .create(request)
            .await
            .unwrap()
            .into_inner()
            .session
            .unwrap()
    }
}

impl Replica {
    pub async fn start(service: Service) -> Self {
        let (listener, replicas) = serving::memory();
        let shutdown = CancellationToken::new();
        tokio::spawn(service.serve(listener, shutdown.clone()));
        let name = "everything.session.v1.SessionService";
        let upstream = Upstream::connect(
            name,
            replicas,
            UpstreamSettings::default(),
            CancellationToken::new(),
        );
        tokio::time::timeout(PATIENCE, upstream.ready())
            .await
            .expect("the service becomes ready");
        Self { shutdown, upstream }
    }

    pub fn channel(&self) -> GrpcChannel {
        self.upstream.channel()
    }

    pub fn client(&self) -> Client {
        Client::new(self.channel())
    }

    pub async fn edge(&self, id: &str) -> Edge {
        Edge::connect(self.client(), id).await
    }
}

/// Runs each scenario on memory (one replica) and on Redis (two).
#[macro_export]
macro_rules! on_both_stores {
    ($($scenario:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario($crate::harness::Stack::memory().await).await;
            })*
        }
        mod redis {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario($crate::harness::Stack::redis().await).await;
            })*
        }
    };
}
