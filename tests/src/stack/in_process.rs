//! The parts as libraries, inside the test's own process.

use std::{future::Future, net::SocketAddr, sync::Arc};

use anyhow::Context;
use change_feed::MemoryFeed;
use everything_edge::{Edge, EdgeConfig, Upstreams};
use redis_store::Redis;
use serving::{CancellationToken, GrpcLimits, ListenAddr, Listener, Replicas, Upstream, UpstreamSettings};
use telemetry::Metrics;
use tokio::{net::TcpListener, task::AbortHandle};
use tokio_util::sync::DropGuard;

use super::{FeatureKind, Plan};

pub struct InProcess {
    edges: Vec<(SocketAddr, AbortHandle)>,
    _shutdown: DropGuard,
}

/// What the parts are started with.
struct Starter<'a> {
    plan: &'a Plan<'a>,
    redis: Option<Redis>,
    /// Where there is no Redis, what features publish and the session service reads.
    feed: MemoryFeed,
    shutdown: CancellationToken,
}

impl InProcess {
    pub async fn start(plan: &Plan<'_>) -> anyhow::Result<Self> {
        let shutdown = CancellationToken::new();
        let starter = Starter {
            plan,
            redis: plan.redis.map(|redis| redis.connect()),
            feed: MemoryFeed::new(),
            shutdown: shutdown.clone(),
        };
        let guard = shutdown.drop_guard();
        let session = starter.replicas("session", Starter::session).await?;
        let feature = match plan.builder.feature {
            FeatureKind::Everything => starter.replicas("feature", Starter::everything).await?,
            FeatureKind::Conformance => starter.replicas("feature", Starter::conformance).await?,
        };
        let auth = match plan.builder.auth {
            true => Some(starter.replicas("auth", Starter::auth).await?),
            false => None,
        };
        let mut edges = Vec::new();
        for _ in 0..plan.builder.edges {
            edges.push(
                starter
                    .edge(auth.clone(), session.clone(), feature.clone())
                    .await?,
            );
        }
        Ok(Self {
            edges,
            _shutdown: guard,
        })
    }

    pub fn edges(&self) -> Vec<SocketAddr> {
        self.edges.iter().map(|(address, _)| *address).collect()
    }

    pub fn kill_edge(&mut self, edge: usize) {
        self.edges[edge].1.abort();
    }
}

impl Starter<'_> {
    /// Starts the replicas of a service; they listen on sockets in the stack's directory.
    async fn replicas(
        &self,
        name: &str,
        start: impl Fn(&Self, Listener) -> anyhow::Result<()>,
    ) -> anyhow::Result<Replicas> {
        let mut addresses = Vec::new();
        for replica in 0..self.plan.builder.replicas {
            let socket = self.plan.directory.join(format!("{name}-{replica}.sock"));
            let address = ListenAddr::Unix(socket);
            start(self, Listener::bind(&address).await?).with_context(|| format!("cannot start {name}"))?;
            addresses.push(address.to_string());
        }
        Ok(addresses.join(",").parse()?)
    }

    fn session(&self, listener: Listener) -> anyhow::Result<()> {
        let config = everything_session::Config::default();
        let service = match &self.redis {
            Some(redis) => everything_session::Service::build_redis(config, redis),
            None => everything_session::Service::build_memory(config, Arc::new(self.feed.clone())),
        };
        run("session", service.serve(listener, self.shutdown.clone()));
        Ok(())
    }

    fn everything(&self, listener: Listener) -> anyhow::Result<()> {
        let config = everything_feature::Config::default();
        let dependencies = match &self.redis {
            Some(redis) => everything_feature::Dependencies::redis(&config, redis),
            None => everything_feature::Dependencies::memory(&config, self.feed.clone()),
        };
        let service = everything_feature::Service::build(config, GrpcLimits::default(), dependencies)?;
        run("feature", service.serve(listener, self.shutdown.clone()));
        Ok(())
    }

    fn conformance(&self, listener: Listener) -> anyhow::Result<()> {
        use everything_conformance::Service;
        let limits = GrpcLimits::default();
        let service = match &self.redis {
            Some(redis) => Service::on_redis(limits, redis.clone()),
            None => Service::with_feed(limits, Arc::new(self.feed.clone())),
        };
        run("conformance", service.serve(listener, self.shutdown.clone()));
        Ok(())
    }

    fn auth(&self, listener: Listener) -> anyhow::Result<()> {
        let dependencies = match &self.redis {
            Some(redis) => everything_auth::Dependencies::redis(redis),
            None => everything_auth::Dependencies::memory(),
        };
        let base_uri = self.plan.base_uri.parse()?;
        let config = everything_auth::Config::default();
        let service = everything_auth::Service::build(&base_uri, &config, dependencies)?;
        run(
            "auth",
            service.serve(listener, GrpcLimits::default(), self.shutdown.clone()),
        );
        Ok(())
    }

    async fn edge(
        &self,
        auth: Option<Replicas>,
        session: Replicas,
        feature: Replicas,
    ) -> anyhow::Result<(SocketAddr, AbortHandle)> {
        let config = EdgeConfig {
            base_uri: Some(self.plan.base_uri.clone()),
            auth_mode: if auth.is_some() { "internal" } else { "disabled" }.to_owned(),
            ..EdgeConfig::default()
        };
        let connect = |service, replicas| {
            Upstream::connect(
                service,
                replicas,
                UpstreamSettings::default(),
                self.shutdown.clone(),
            )
        };
        let upstreams = Upstreams {
            auth: auth.map(|replicas| connect("everything.auth.v1.AuthService", replicas)),
            session: connect("everything.session.v1.SessionService", session),
            feature: connect("everything.feature.v1.FeatureService", feature),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let address = listener.local_addr()?;
        let edge = Edge::build(&config, upstreams, &Metrics::none(), self.shutdown.clone())?;
        Ok((address, run("edge", edge.serve(listener, self.shutdown.clone()))))
    }
}

/// A part that ends with an error shows it; tests then see an edge that is not ready.
fn run<E: std::fmt::Display + Send + 'static>(
    name: &'static str,
    serving: impl Future<Output = Result<(), E>> + Send + 'static,
) -> AbortHandle {
    let task = tokio::spawn(async move {
        if let Err(error) = serving.await {
            panic!("{name} ended: {error}");
        }
    });
    task.abort_handle()
}
