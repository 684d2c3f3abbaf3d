use std::sync::Arc;

use change_feed::{ChangeFeed, MemoryFeed, RedisFeed};
use everything_proto::feature::v1::feature_service_server::FeatureServiceServer;
use redis_store::Redis;
use serving::{GrpcLimits, GrpcServer, Listener, Readiness, Reason};
use telemetry::Metrics;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    changes,
    config::Config,
    features::Features,
    grpc::Grpc,
    schema::BadSchema,
    store::{MemoryStore, RedisStore, Store},
};

/// What the service needs of the world.
#[derive(Clone)]
pub struct Dependencies {
    pub store: Arc<dyn Store>,
    /// In one process with the session service it is the same feed that that one reads.
    pub feed: Arc<dyn ChangeFeed>,
    /// Whether what is behind `store` and `feed` answers.
    pub readiness: watch::Receiver<Readiness>,
    pub metrics: Metrics,
}

/// The feature service, ready to serve.
pub struct Service {
    features: Arc<Features>,
    dependencies: Dependencies,
    config: Config,
    limits: GrpcLimits,
}

impl Dependencies {
    /// Keeps everything in this process and publishes on `feed`.
    pub fn memory(config: &Config, feed: MemoryFeed) -> Self {
        Self {
            store: Arc::new(MemoryStore::new(config.limits())),
            feed: Arc::new(feed),
            readiness: serving::always_ready(),
            metrics: Metrics::none(),
        }
    }

    /// Keeps everything in Redis, where every replica finds it. Must be called within a Tokio runtime.
    pub fn redis(config: &Config, redis: &Redis) -> Self {
        Self {
            store: Arc::new(RedisStore::new(redis.clone(), config.limits())),
            feed: Arc::new(RedisFeed::new(redis.clone())),
            readiness: serving::ready_while(redis.health(), |error| Reason::of_redis(error.reason())),
            metrics: Metrics::none(),
        }
    }

    /// Has the service measured.
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }
}

impl Service {
    /// Fails only for a tool whose schema cannot be used, which is a bug.
    pub fn build(config: Config, limits: GrpcLimits, dependencies: Dependencies) -> Result<Self, BadSchema> {
        let features = Features::new(dependencies.store.clone(), dependencies.feed.clone())?;
        Ok(Self {
            features: Arc::new(features),
            dependencies,
            config,
            limits,
        })
    }

    /// Serves, and sends the periodic changes, until `shutdown`.
    pub async fn serve(self, listener: Listener, shutdown: CancellationToken) -> Result<(), serving::Error> {
        let Self {
            features,
            dependencies:
                Dependencies {
                    feed,
                    readiness,
                    metrics,
                    ..
                },
            config,
            limits,
        } = self;
        let server = FeatureServiceServer::new(Grpc::new(features))
            .max_decoding_message_size(limits.max_message_bytes)
            .max_encoding_message_size(limits.max_message_bytes);
        // Ends the changes also where serving fails.
        let changes_end = shutdown.child_token();
        let _end_changes = changes_end.clone().drop_guard();
        tokio::spawn(changes::run(feed, config.periods(), changes_end));
        GrpcServer::new(limits)
            .with_metrics(metrics)
            .add_service(server)
            .serve(listener, readiness, shutdown)
            .await
    }
}
