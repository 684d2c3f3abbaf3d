//! `grpc.health.v1.Health`, with the reason why a service does not serve.

use std::time::Duration;

use futures::{StreamExt, stream::BoxStream};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
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

/// A service that has just begun may take so long to reach what it needs before that is worth a warning.
const TIME_TO_BEGIN: Duration = Duration::from_secs(3);

/// Says what the service says until the shutdown, which comes first.
pub(crate) async fn follow(
    sender: watch::Sender<Readiness>,
    mut readiness: ReadinessReceiver,
    shutdown: tokio_util::sync::CancellationToken,
) {
    let mut shown = None;
    let mut unsaid = None;
    let quiet_until = Instant::now() + TIME_TO_BEGIN;
    loop {
        let now = *readiness.borrow_and_update();
        if shown.replace(now) != Some(now) {
            unsaid = match now {
                Readiness::NotReady(reason) => Some(reason),
                Readiness::Ready => None,
            };
            sender.send_replace(now);
        }
        if let Some(reason) = unsaid.take_if(|_| Instant::now() >= quiet_until) {
            tracing::warn!(%reason, "not ready");
        }
        tokio::select! {
            () = sleep_until(quiet_until), if unsaid.is_some() => {}
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

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tokio::time::sleep;
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn warnings(&self) -> usize {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            text.lines().filter(|line| line.contains("not ready")).count()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_begins_is_given_a_moment_before_it_is_warned_of() {
        const AWAY: Readiness = Readiness::NotReady(Reason::RedisUnreachable);
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
        let _logging = tracing::subscriber::set_default(subscriber.finish());
        let begin = || {
            let (of_the_service, readiness) = watch::channel(AWAY);
            let (sender, shown) = watch::channel(Readiness::Ready);
            tokio::spawn(follow(sender, readiness, CancellationToken::new()));
            (of_the_service, shown)
        };

        let (of_the_service, shown) = begin();
        sleep(TIME_TO_BEGIN / 2).await;
        assert_eq!(*shown.borrow(), AWAY, "told at once to whoever asks");
        of_the_service.send_replace(Readiness::Ready);
        sleep(TIME_TO_BEGIN).await;
        assert_eq!(log.warnings(), 0);
        of_the_service.send_replace(AWAY);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(log.warnings(), 1, "later on it is news at once");

        let _absent = begin();
        sleep(TIME_TO_BEGIN * 2).await;
        assert_eq!(log.warnings(), 2);
    }
}
