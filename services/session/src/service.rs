use std::{sync::Arc, time::Duration};

use change_feed::{ChangeFeed, RedisFeed};
use everything_proto::session::v1::{
    session_service_server::SessionServiceServer, task_service_server::TaskServiceServer,
};
use redis_store::Redis;
use serving::{CancellationToken, GrpcServer, Listener, ReadinessReceiver, Reason};
use telemetry::Metrics;

use crate::{
    Config, Error,
    bus::{Bus, MemoryBus, RedisBus},
    grpc::Grpc,
    operations::Operations,
    routing::Hub,
    store::{MemoryStore, RedisStore, Store},
    tasks::{
        self, MemoryTaskNews, MemoryTaskStore, RedisTaskNews, RedisTaskStore, TaskDependencies, TaskGrpc,
    },
};

/// Tasks of ended links get this long to give back what they hold.
const LAST_TASKS: Duration = Duration::from_secs(2);

/// The session service over one store.
pub struct Service {
    config: Config,
    dependencies: Dependencies,
    metrics: Metrics,
}

/// What a session service is built on.
pub struct Dependencies {
    pub store: Arc<dyn Store>,
    pub bus: Arc<dyn Bus>,
    pub feed: Arc<dyn ChangeFeed>,
    pub tasks: TaskDependencies,
    pub readiness: ReadinessReceiver,
}

impl Service {
    pub fn build(config: Config, dependencies: Dependencies) -> Self {
        Self {
            config,
            dependencies,
            metrics: Metrics::none(),
        }
    }

    /// Has the service measured.
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// The embedded store: one replica, nothing kept. `feed` is the one that features publish to.
    pub fn build_memory(config: Config, feed: Arc<dyn ChangeFeed>) -> Self {
        let dependencies = Dependencies {
            store: Arc::new(MemoryStore::new(config.store())),
            bus: Arc::new(MemoryBus::new()),
            feed,
            tasks: TaskDependencies {
                store: Arc::new(MemoryTaskStore::new()),
                news: Arc::new(MemoryTaskNews::new()),
            },
            readiness: serving::always_ready(),
        };
        Self::build(config, dependencies)
    }

    /// Redis: any number of replicas. Must be called within a Tokio runtime.
    pub fn build_redis(config: Config, redis: &Redis) -> Self {
        let dependencies = Dependencies {
            store: Arc::new(RedisStore::new(redis, config.store())),
            bus: Arc::new(RedisBus::new(redis.clone())),
            feed: Arc::new(RedisFeed::new(redis.clone())),
            tasks: TaskDependencies {
                store: Arc::new(RedisTaskStore::new(redis)),
                news: Arc::new(RedisTaskNews::new(redis.clone())),
            },
            readiness: serving::ready_while(redis.health(), |error| Reason::of_redis(error.reason())),
        };
        Self::build(config, dependencies)
    }

    /// Serves until `shutdown`: edges are told to connect to another replica, get the drain time to do so, and what
    /// their streams hold is given back.
    pub async fn serve(self, listener: Listener, shutdown: CancellationToken) -> Result<(), serving::Error> {
        let Self {
            config,
            dependencies:
                Dependencies {
                    store,
                    bus,
                    feed,
                    tasks,
                    readiness,
                },
            metrics,
        } = self;
        let tasks = Arc::new(tasks::Operations::new(tasks, config.tasks()));
        let hub = Hub::start(
            store,
            bus,
            feed,
            tasks.clone(),
            config.links(),
            &metrics,
            shutdown.clone(),
        )
        .map_err(|error: Error| serving::Error::NotServing(error.to_string()))?;
        let keeping = tokio::spawn(hub.clone().keep_alive());
        let watching = tokio::spawn(hub.clone().watch_changes());

        let grpc = Grpc {
            operations: Operations::new(hub.clone(), config.limits()),
            hub: hub.clone(),
            ttl: config.ttl(),
        };
        let max_bytes = config.grpc.max_message_bytes;
        let task_service = TaskGrpc {
            operations: tasks,
            shutdown: shutdown.clone(),
        };
        let task_service = TaskServiceServer::new(task_service)
            .max_decoding_message_size(max_bytes)
            .max_encoding_message_size(max_bytes);
        let service = SessionServiceServer::new(grpc)
            .max_decoding_message_size(max_bytes)
            .max_encoding_message_size(max_bytes);
        let served = GrpcServer::new(config.grpc)
            .with_metrics(metrics)
            .add_service(service)
            .add_service(task_service)
            .serve(listener, readiness, shutdown)
            .await;

        hub.close_links();
        hub.tasks.close();
        _ = tokio::time::timeout(LAST_TASKS, hub.tasks.wait()).await;
        watching.abort();
        _ = tokio::time::timeout(LAST_TASKS, keeping).await;
        served
    }
}
