//! Composition: settings and a store in, a served gRPC service out.

use std::sync::Arc;

use everything_proto::auth::v1::auth_service_server::AuthServiceServer;
use everything_proto::auth::v1::fake_upstream_service_server::FakeUpstreamServiceServer;
use redis_store::Redis;
use serving::{CancellationToken, GrpcLimits, GrpcServer, Listener, Readiness, ReadinessReceiver};
use tokio::sync::watch;
use url::Url;

use crate::clock::Clock;
use crate::config::{Config, Settings};
use crate::error::Error;
use crate::grpc::auth_service::AuthGrpc;
use crate::grpc::fake_upstream_service::FakeUpstreamGrpc;
use crate::outgoing::{Outgoing, Reach};
use crate::server::AuthorizationServer;
use crate::store::{MemoryStore, RedisStore, Store};
use crate::upstream::fake::FakeProvider;

/// What the service runs on.
pub struct Dependencies {
    pub store: Arc<dyn Store>,
    pub readiness: ReadinessReceiver,
    pub clock: Clock,
}

/// A service that is ready to be served.
pub struct Service {
    server: Arc<AuthorizationServer>,
    fake: FakeProvider,
    readiness: ReadinessReceiver,
}

impl Dependencies {
    /// Nothing is shared, and nothing outlives the process.
    pub fn memory() -> Self {
        Self {
            store: Arc::new(MemoryStore::new()),
            readiness: serving::always_ready(),
            clock: Clock::System,
        }
    }

    /// Shared with every replica on the same Redis; ready while it answers. Spawns a task that ends with the service.
    pub fn redis(redis: &Redis) -> Self {
        Self {
            store: Arc::new(RedisStore::new(redis.clone())),
            readiness: redis_readiness(redis),
            clock: Clock::System,
        }
    }
}

impl Service {
    /// `base_uri`: where users and clients reach the edge.
    pub fn build(base_uri: &Url, config: &Config, dependencies: Dependencies) -> Result<Self, Error> {
        let settings = Settings::new(base_uri, config)?;
        let Dependencies {
            store,
            readiness,
            clock,
        } = dependencies;
        let fake = FakeProvider::new(&settings, Arc::clone(&store));
        let upstream = Arc::new(fake.upstream()?);
        let reach = if settings.loopback_documents {
            Reach::PublicAndLoopback
        } else {
            Reach::Public
        };
        let strangers = Arc::new(Outgoing::new(reach)?);
        let server = Arc::new(AuthorizationServer::new(
            settings, store, upstream, strangers, clock,
        ));
        Ok(Self {
            server,
            fake,
            readiness,
        })
    }

    /// Serves until `shutdown`.
    pub async fn serve(
        self,
        listener: Listener,
        limits: GrpcLimits,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let auth = AuthServiceServer::new(AuthGrpc::new(self.server, shutdown.clone()))
            .max_decoding_message_size(limits.max_message_bytes)
            .max_encoding_message_size(limits.max_message_bytes);
        let fake = FakeUpstreamServiceServer::new(FakeUpstreamGrpc(self.fake))
            .max_decoding_message_size(limits.max_message_bytes)
            .max_encoding_message_size(limits.max_message_bytes);
        let server = GrpcServer::new(limits).add_service(auth).add_service(fake);
        Ok(server.serve(listener, self.readiness, shutdown).await?)
    }
}

fn redis_readiness(redis: &Redis) -> ReadinessReceiver {
    let mut health = redis.health();
    let (sender, readiness) = watch::channel(Readiness::NotReady("redis has not answered yet".to_owned()));
    tokio::spawn(async move {
        loop {
            let now = match &*health.borrow_and_update() {
                Ok(()) => Readiness::Ready,
                Err(error) => Readiness::NotReady(error.to_string()),
            };
            sender.send_replace(now);
            tokio::select! {
                changed = health.changed() => if changed.is_err() { return },
                () = sender.closed() => return,
            }
        }
    });
    readiness
}
