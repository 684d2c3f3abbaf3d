//! `grpc.health.v1.Health`, with the reason why a service does not serve.

use futures::{StreamExt, stream::BoxStream};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status, metadata::MetadataValue};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server::Health,
};

use crate::{Readiness, ReadinessReceiver, Reason};

/// The health of one server, which is that of each of its services.
pub(crate) struct HealthService {
    names: Vec<&'static str>,
    readiness: ReadinessReceiver,
}

impl HealthService {
    pub(crate) fn new(names: Vec<&'static str>, readiness: ReadinessReceiver) -> Self {
        Self { names, readiness }
    }

    /// The empty name stands for the whole server.
    fn known(&self, name: &str) -> bool {
        name.is_empty() || self.names.contains(&name)
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !self.known(&request.get_ref().service) {
            return Err(Status::not_found("no such service here"));
        }
        let readiness = *self.readiness.borrow();
        let mut response = Response::new(said(readiness));
        if let Readiness::NotReady(reason) = readiness {
            response
                .metadata_mut()
                .insert(Reason::METADATA, MetadataValue::from_static(reason.token()));
        }
        Ok(response)
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        if !self.known(&request.get_ref().service) {
            // The protocol keeps the stream open in case the service appears; here none does.
            let unknown = HealthCheckResponse {
                status: ServingStatus::ServiceUnknown.into(),
            };
            let only = futures::stream::iter([Ok(unknown)]).chain(futures::stream::pending());
            return Ok(Response::new(only.boxed()));
        }
        // Ends with the shutdown, which it would keep waiting otherwise.
        let updates = WatchStream::new(self.readiness.clone());
        let updates = futures::stream::unfold((updates, false), |(mut updates, over)| async move {
            if over {
                return None;
            }
            let readiness = updates.next().await?;
            let over = readiness == Readiness::NotReady(Reason::ShuttingDown);
            Some((Ok(said(readiness)), (updates, over)))
        });
        Ok(Response::new(updates.boxed()))
    }
}

fn said(readiness: Readiness) -> HealthCheckResponse {
    let status = match readiness {
        Readiness::Ready => ServingStatus::Serving,
        Readiness::NotReady(_) => ServingStatus::NotServing,
    };
    HealthCheckResponse {
        status: status.into(),
    }
}

/// Says what the service says until the shutdown, which comes first.
pub(crate) async fn follow(
    sender: watch::Sender<Readiness>,
    mut readiness: ReadinessReceiver,
    shutdown: tokio_util::sync::CancellationToken,
) {
    let mut shown = None;
    loop {
        let now = *readiness.borrow_and_update();
        if shown.replace(now) != Some(now) {
            if let Readiness::NotReady(reason) = now {
                tracing::warn!(%reason, "not ready");
            }
            sender.send_replace(now);
        }
        tokio::select! {
            changed = readiness.changed() => if changed.is_err() {
                // Nobody can change it any more: it stays as it is until the shutdown.
                shutdown.cancelled().await;
                break;
            },
            () = shutdown.cancelled() => break,
            () = sender.closed() => return,
        }
    }
    sender.send_replace(Readiness::NotReady(Reason::ShuttingDown));
    // Watches that are opened from here on hear of it too.
    sender.closed().await;
}
