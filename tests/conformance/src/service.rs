use std::sync::Arc;

use change_feed::{ChangeFeed, MemoryFeed, RedisFeed};
use everything_proto::feature::v1::feature_service_server::FeatureServiceServer;
use redis_store::Redis;
use serving::{CancellationToken, GrpcLimits, GrpcServer, Listener, Reason};
use tokio::sync::watch;

use crate::{Config, grpc::Handlers};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Redis(#[from] redis_store::Error),
    #[error(transparent)]
    Serving(#[from] serving::Error),
}

/// The fixture service, ready to be served.
pub struct Service {
    limits: GrpcLimits,
    changes: Arc<dyn ChangeFeed>,
    /// Whether the store behind `changes` answers, where there is one.
    store_health: Option<watch::Receiver<Result<(), redis_store::Error>>>,
}

impl Service {
    /// On Redis if one is configured; else announcements reach only readers of a feed in this process.
    pub fn build(config: &Config) -> Result<Self, Error> {
        Ok(match config.redis.address()? {
            Some(address) => Self::on_redis(config.grpc.clone(), Redis::connect(&address)?),
            None => Self::with_feed(config.grpc.clone(), Arc::new(MemoryFeed::new())),
        })
    }

    pub fn on_redis(limits: GrpcLimits, redis: Redis) -> Self {
        let store_health = Some(redis.health());
        Self {
            limits,
            changes: Arc::new(RedisFeed::new(redis)),
            store_health,
        }
    }

    /// With a feed that somebody in this process reads.
    pub fn with_feed(limits: GrpcLimits, changes: Arc<dyn ChangeFeed>) -> Self {
        Self {
            limits,
            changes,
            store_health: None,
        }
    }

    /// Serves until `shutdown`.
    pub async fn serve(self, listener: Listener, shutdown: CancellationToken) -> Result<(), Error> {
        let readiness = match self.store_health {
            Some(health) => serving::ready_while(health, |error| Reason::of_redis(error.reason())),
            None => serving::always_ready(),
        };
        let server = FeatureServiceServer::new(Handlers::new(self.changes))
            .max_decoding_message_size(self.limits.max_message_bytes)
            .max_encoding_message_size(self.limits.max_message_bytes);
        Ok(GrpcServer::new(self.limits)
            .add_service(server)
            .serve(listener, readiness, shutdown)
            .await?)
    }
}
