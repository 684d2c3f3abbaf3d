//! Composition: settings and a store in, a served gRPC service out.

use std::sync::Arc;

use everything_proto::auth::v1::auth_service_server::AuthServiceServer;
use everything_proto::auth::v1::fake_upstream_service_server::FakeUpstreamServiceServer;
use redis_store::Redis;
use serving::{CancellationToken, GrpcLimits, GrpcServer, Listener, ReadinessReceiver, Reason};
use telemetry::Metrics;
use url::Url;

use crate::clock::Clock;
use crate::config::{Config, Settings};
use crate::dpop::ProofChecker;
use crate::error::Error;
use crate::external::ExternalServer;
use crate::grpc::auth_service::AuthGrpc;
use crate::grpc::external_service::ExternalGrpc;
use crate::grpc::fake_upstream_service::FakeUpstreamGrpc;
use crate::outgoing::{Outgoing, Reach};
use crate::server::AuthorizationServer;
use crate::store::{MemoryStore, RedisStore, Store};
use crate::upstream::fake::FakeProvider;
use crate::upstream::oauth::{OAuthProvider, OAuthUpstream};

/// What the service runs on.
pub struct Dependencies {
    pub store: Arc<dyn Store>,
    pub readiness: ReadinessReceiver,
    pub clock: Clock,
    pub metrics: Metrics,
}

/// A service that is ready to be served.
pub struct Service {
    face: Face,
    readiness: ReadinessReceiver,
    metrics: Metrics,
}

enum Face {
    /// Tokens are issued here.
    Internal {
        server: Arc<AuthorizationServer>,
        fake: Option<FakeProvider>,
    },
    /// Tokens are issued elsewhere.
    External(Arc<ExternalServer>),
}

impl Dependencies {
    /// Nothing is shared, and nothing outlives the process.
    pub fn memory() -> Self {
        Self {
            store: Arc::new(MemoryStore::new()),
            readiness: serving::always_ready(),
            clock: Clock::System,
            metrics: Metrics::none(),
        }
    }

    /// Shared with every replica on the same Redis; ready while it answers. Spawns a task that ends with the service.
    pub fn redis(redis: &Redis) -> Self {
        Self {
            store: Arc::new(RedisStore::new(redis.clone())),
            readiness: serving::ready_while(redis.health(), |error| Reason::of_redis(error.reason())),
            clock: Clock::System,
            metrics: Metrics::none(),
        }
    }

    /// Has the service measured.
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
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
            metrics,
        } = dependencies;
        let face = match settings.external.clone() {
            Some(external) => {
                let proofs = ProofChecker {
                    store,
                    clock,
                    nonces: settings.dpop_nonces,
                };
                let http = Arc::new(Outgoing::new(Reach::Anywhere)?);
                let server = ExternalServer::new(external, settings.resources, http, proofs, clock);
                Face::External(Arc::new(server))
            }
            None => internal(settings, store, clock)?,
        };
        Ok(Self {
            face,
            readiness,
            metrics,
        })
    }

    /// Serves until `shutdown`.
    pub async fn serve(
        self,
        listener: Listener,
        limits: GrpcLimits,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let bytes = limits.max_message_bytes;
        let server = GrpcServer::new(limits).with_metrics(self.metrics);
        let server = match self.face {
            Face::External(external) => {
                let auth = AuthServiceServer::new(ExternalGrpc::new(external, shutdown.clone()))
                    .max_decoding_message_size(bytes)
                    .max_encoding_message_size(bytes);
                server.add_service(auth)
            }
            Face::Internal {
                server: internal,
                fake,
            } => {
                let auth = AuthServiceServer::new(AuthGrpc::new(internal, shutdown.clone()))
                    .max_decoding_message_size(bytes)
                    .max_encoding_message_size(bytes);
                let server = server.add_service(auth);
                match fake {
                    None => server,
                    Some(fake) => server.add_service(
                        FakeUpstreamServiceServer::new(FakeUpstreamGrpc(fake))
                            .max_decoding_message_size(bytes)
                            .max_encoding_message_size(bytes),
                    ),
                }
            }
        };
        Ok(server.serve(listener, self.readiness, shutdown).await?)
    }
}

fn internal(settings: Settings, store: Arc<dyn Store>, clock: Clock) -> Result<Face, Error> {
    let (upstream, fake) = match settings.upstream.clone() {
        Some(real) => {
            let provider = OAuthProvider {
                endpoints: real.endpoints,
                client_id: real.client_id,
                client_secret: real.client_secret,
                authentication: real.authentication,
                redirect_uri: settings.endpoint("/callback"),
                scopes: real.scopes,
                user_id_claim: real.user_id_claim,
            };
            (
                OAuthUpstream::new(provider, Arc::new(Outgoing::new(Reach::Anywhere)?))?,
                None,
            )
        }
        None => {
            let fake = FakeProvider::new(&settings, Arc::clone(&store));
            (fake.upstream()?, Some(fake))
        }
    };
    let reach = if settings.loopback_documents {
        Reach::PublicAndLoopback
    } else {
        Reach::Public
    };
    let strangers = Arc::new(Outgoing::new(reach)?);
    let server = AuthorizationServer::new(settings, store, Arc::new(upstream), strangers, clock);
    Ok(Face::Internal {
        server: Arc::new(server),
        fake,
    })
}
