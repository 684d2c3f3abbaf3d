use std::sync::Arc;

use anyhow::Context;
use change_feed::MemoryFeed;
use everything_edge::{Edge, Settings, Upstreams};
use redis_store::Redis;
use serving::{CancellationToken, Listener, Replicas, Upstream, UpstreamSettings};
use telemetry::Metrics;
use tokio::{net::TcpListener, task::JoinSet};
use url::Url;

use crate::Config;

/// All services, started, and the edge in front of them, ready to serve.
pub struct Everything {
    edge: Edge,
    services: JoinSet<anyhow::Result<()>>,
    /// Stops watching the services, after the edge has drained: that they stop then is no news.
    stop_watching: CancellationToken,
    /// Stops the services, after that.
    stop_services: CancellationToken,
    shutdown: CancellationToken,
}

impl Everything {
    /// `settings` are `config.edge`, checked. Without `redis` the state is in this process and ends with it. Must be
    /// called within a Tokio runtime.
    pub fn start(
        config: Config,
        settings: Settings,
        redis: Option<&Redis>,
        metrics: &Metrics,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let mut services = JoinSet::new();
        let stop_watching = CancellationToken::new();
        let stop_services = CancellationToken::new();
        let base_uri = Url::parse(settings.base.as_str()).context("BASE_URI")?;
        let limits = config.session.grpc.clone();
        let feed = MemoryFeed::new();

        let auth = settings
            .auth
            .needs_auth_service()
            .then_some(config.replacements.auth_url);
        let auth = auth
            .map(|replacement| {
                embed_unless(replacement, |listener| {
                    let dependencies = match redis {
                        Some(redis) => everything_auth::Dependencies::redis(redis),
                        None => everything_auth::Dependencies::memory(),
                    };
                    let service = everything_auth::Service::build(
                        &base_uri,
                        &config.auth,
                        dependencies.with_metrics(metrics.clone()),
                    )?;
                    let (limits, stop) = (limits.clone(), stop_services.clone());
                    services.spawn(async move { Ok(service.serve(listener, limits, stop).await?) });
                    Ok(())
                })
            })
            .transpose()?;
        let session = embed_unless(config.replacements.session_url, |listener| {
            let service = match redis {
                Some(redis) => everything_session::Service::build_redis(config.session, redis),
                None => everything_session::Service::build_memory(config.session, Arc::new(feed.clone())),
            };
            let service = service.with_metrics(metrics.clone());
            let stop = stop_services.clone();
            services.spawn(async move { Ok(service.serve(listener, stop).await?) });
            Ok(())
        })?;
        let feature = embed_unless(config.replacements.feature_url, |listener| {
            let dependencies = match redis {
                Some(redis) => everything_feature::Dependencies::redis(&config.feature, redis),
                None => everything_feature::Dependencies::memory(&config.feature, feed),
            };
            let service = everything_feature::Service::build(
                config.feature,
                limits.clone(),
                dependencies.with_metrics(metrics.clone()),
            )?;
            let stop = stop_services.clone();
            services.spawn(async move { Ok(service.serve(listener, stop).await?) });
            Ok(())
        })?;

        let tls = config.tls.client()?;
        let connect = |name, replicas| {
            let settings = UpstreamSettings {
                tls: tls.clone(),
                metrics: metrics.clone(),
                ..UpstreamSettings::default()
            };
            Upstream::connect(name, replicas, settings, stop_watching.clone())
        };
        let upstreams = Upstreams {
            auth: auth.map(|replicas| connect("everything.auth.v1.AuthService", replicas)),
            session: connect("everything.session.v1.SessionService", session),
            feature: connect("everything.feature.v1.FeatureService", feature),
        };
        let edge = Edge::with_settings(settings, upstreams, metrics, shutdown.clone())?;
        Ok(Self {
            edge,
            services,
            stop_watching,
            stop_services,
            shutdown,
        })
    }

    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    /// Serves until `shutdown`: the edge drains first, while the services still answer; then they stop. A service that
    /// ends on its own ends everything.
    pub async fn serve(self, listener: TcpListener) -> anyhow::Result<()> {
        let Self {
            edge,
            mut services,
            stop_watching,
            stop_services,
            shutdown,
        } = self;
        let serving = edge.serve(listener, shutdown.clone());
        tokio::pin!(serving);
        let outcome = loop {
            tokio::select! {
                outcome = &mut serving => break outcome.map_err(anyhow::Error::from),
                Some(ended) = services.join_next() => {
                    shutdown.cancel();
                    if let Err(error) = flatten(ended) {
                        tracing::error!(%error, "a service failed");
                    }
                }
            }
        };
        stop_watching.cancel();
        stop_services.cancel();
        while let Some(ended) = services.join_next().await {
            flatten(ended)?;
        }
        outcome
    }
}

/// The replicas to use: those given, or a service started in this process.
fn embed_unless(
    replacement: Option<Replicas>,
    start: impl FnOnce(Listener) -> anyhow::Result<()>,
) -> anyhow::Result<Replicas> {
    if let Some(replicas) = replacement {
        return Ok(replicas);
    }
    let (listener, replicas) = serving::memory();
    start(listener)?;
    Ok(replicas)
}

fn flatten(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Result<()> {
    ended.context("a service panicked")?
}
