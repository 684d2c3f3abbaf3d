use std::{convert::Infallible, future::Future, time::Duration};

use clap::Args;
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto};
use telemetry::{Metrics, grpc::ServerTraceLayer, metrics::rpc::RpcServerMetricsLayer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{
    body::Body,
    server::NamedService,
    service::{Routes, RoutesBuilder},
    transport::Server,
};
use tonic_health::pb::health_server::HealthServer;
use tower::Service;

use crate::{
    Error, Listener, ReadinessReceiver,
    health::{self, HealthService},
};

/// Bounds on what a gRPC service takes.
#[derive(Args, Clone, Debug)]
pub struct GrpcLimits {
    /// Largest gRPC message taken or sent, bytes. Above the edge's body limit, so that the edge answers first.
    #[arg(long, env = "GRPC_MAX_MESSAGE_BYTES", default_value_t = 8 * 1024 * 1024)]
    pub max_message_bytes: usize,
    /// Requests that one connection may have in flight; each caller keeps one connection per replica.
    #[arg(long, env = "GRPC_MAX_CONCURRENT_REQUESTS", default_value_t = 1024)]
    pub max_concurrent_requests: usize,
    /// Deadline of an RPC's first response for callers that set none, milliseconds.
    #[arg(long, env = "GRPC_TIMEOUT_MS", default_value_t = 15_000)]
    pub timeout_ms: u64,
    /// How long callers get to move to another replica after a shutdown began, milliseconds. Calls are still taken.
    #[arg(long, env = "GRPC_LEAVE_MS", default_value_t = 250)]
    pub leave_ms: u64,
    /// How long running RPCs get to end after that, milliseconds.
    #[arg(long, env = "GRPC_DRAIN_MS", default_value_t = 5_000)]
    pub drain_ms: u64,
}

impl Default for GrpcLimits {
    fn default() -> Self {
        Self {
            max_message_bytes: 8 * 1024 * 1024,
            max_concurrent_requests: 1024,
            timeout_ms: 15_000,
            leave_ms: 250,
            drain_ms: 5_000,
        }
    }
}

/// A gRPC server with what every service here has: health, reflection, limits, deadlines, tracing, ordered shutdown.
pub struct GrpcServer {
    limits: GrpcLimits,
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    metrics: Metrics,
}

impl GrpcServer {
    pub fn new(limits: GrpcLimits) -> Self {
        Self {
            limits,
            metrics: Metrics::none(),
            routes: Routes::builder(),
            names: Vec::new(),
        }
    }

    /// Has the calls measured.
    pub fn with_metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Adds a generated `…Server`. Set its message size limits from [`GrpcLimits`] before.
    pub fn add_service<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes.add_service(service);
        self
    }

    /// Serves until `shutdown`: reports not-serving first, so that callers move away; then stops accepting and sends
    /// GOAWAY, lets running RPCs end, and closes what is left when the drain time is over.
    pub async fn serve(
        self,
        listener: Listener,
        readiness: ReadinessReceiver,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let Self {
            limits,
            mut routes,
            names,
            metrics,
        } = self;
        let (sender, reported) = watch::channel(*readiness.borrow());
        tokio::spawn(health::follow(sender, readiness, shutdown.clone()));
        let health = HealthServer::new(HealthService::new(names, reported));
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(everything_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()?;
        routes.add_service(health).add_service(reflection);

        let closing = CancellationToken::new();
        let close = closing.clone();
        let leave = Duration::from_millis(limits.leave_ms);
        let drain = Duration::from_millis(limits.drain_ms);
        let serving = Server::builder()
            .layer(RpcServerMetricsLayer::new(&metrics, methods()))
            .layer(ServerTraceLayer)
            .timeout(Duration::from_millis(limits.timeout_ms))
            .concurrency_limit_per_connection(limits.max_concurrent_requests)
            .max_concurrent_streams(u32::try_from(limits.max_concurrent_requests).unwrap_or(u32::MAX))
            // Finds peers that vanished without closing.
            .http2_keepalive_interval(Some(Duration::from_secs(20)))
            .http2_keepalive_timeout(Some(Duration::from_secs(10)))
            .initial_stream_window_size(1024 * 1024)
            .initial_connection_window_size(8 * 1024 * 1024)
            .add_routes(routes.routes())
            .serve_with_incoming_shutdown(listener.into_stream(), closing.cancelled_owned());
        let drained = async {
            shutdown.cancelled().await;
            tokio::time::sleep(leave).await;
            close.cancel();
            tokio::time::sleep(drain).await;
        };
        within(serving, drained).await
    }
}

/// Full names of every method of the contracts.
fn methods() -> Vec<String> {
    let contracts = FileDescriptorSet::decode(everything_proto::FILE_DESCRIPTOR_SET).unwrap_or_default();
    let of_file = |file: &FileDescriptorProto| {
        let of_service = |service: &ServiceDescriptorProto| {
            let service_name = format!("{}.{}", file.package(), service.name());
            let named = |method: &MethodDescriptorProto| format!("{service_name}/{}", method.name());
            service.method.iter().map(named).collect::<Vec<_>>()
        };
        file.service.iter().flat_map(of_service).collect::<Vec<_>>()
    };
    contracts.file.iter().flat_map(of_file).collect()
}

/// Long-lived streams would keep a graceful shutdown waiting for ever; the drain deadline ends them.
async fn within(
    serving: impl Future<Output = Result<(), tonic::transport::Error>>,
    drained: impl Future<Output = ()>,
) -> Result<(), Error> {
    tokio::select! {
        outcome = serving => Ok(outcome?),
        () = drained => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_known_by_their_full_names() {
        let methods = methods();
        for known in [
            "everything.feature.v1.FeatureService/CallTool",
            "everything.auth.v1.AuthService/Introspect",
            "everything.session.v1.SessionService/Append",
        ] {
            assert!(methods.iter().any(|method| method == known), "{known}");
        }
    }
}
