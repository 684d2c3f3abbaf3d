//! One call: to a replica, and if need be to another.

use std::{sync::Arc, time::Duration};

use http_body_util::BodyExt;
use telemetry::grpc::ClientCall;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{Code, Status, body::Body};
use tower::{Service, ServiceExt};

use super::{
    deadline::Patience,
    message::{Message, status_in, whole},
    pool::{Pick, Pool},
    replica::{Health, Replica},
};
use crate::retry::{self, Repeat, TRIES, backoff};

/// Counts a call until its response has ended.
struct Open(Arc<Replica>);

/// What became of one try.
enum Outcome {
    Answered(http::Response<Body>),
    /// The replica cannot do it now, says its answer.
    Refused(http::Response<Body>),
    /// The connection did.
    Failed,
    /// The replica's fault or not, there is no time left for this try.
    TimedOut,
}

pub(super) async fn run(
    pool: &Pool,
    request: http::Request<Body>,
    patience: Patience,
    traced: &ClientCall,
) -> Result<http::Response<Body>, Status> {
    let service = pool.service;
    let (mut parts, body) = request.into_parts();
    let ends = Instant::now() + patience.time();
    let repeat = retry::of(parts.uri.path(), &parts.extensions);
    let message = match repeat {
        Repeat::Never => Message::once(body),
        Repeat::UntilAnswered | Repeat::Always => Message::keep(body).await?,
    };
    pool.budget.call();
    let mut tried: Vec<Arc<Replica>> = Vec::new();
    for attempts in 1.. {
        let last = attempts >= TRIES;
        let Some(unread) = message.unread() else {
            return Err(lost(service));
        };
        let failure = match pool.pick(&tried) {
            Pick::Full => return Err(Status::resource_exhausted(format!("{service} is busy"))),
            Pick::Nobody => Status::unavailable(format!("no replica of {service} serves")),
            Pick::Replica(replica) => {
                tried.push(replica.clone());
                replica.name_on(traced);
                // A replica that hangs must not cost the call while another one could do it.
                let in_part = !last && repeat == Repeat::Always && pool.has_alternative(&tried);
                let until = match in_part {
                    true => ends.min(Instant::now() + pool.settings.try_timeout),
                    false => ends,
                };
                patience.send_along(ends, &mut parts.headers);
                let request = http::Request::from_parts(parts.clone(), unread.body());
                let outcome = attempt(pool, &replica, request, repeat, until).await;
                // What was not sent is no retry, however often it is tried.
                let again =
                    || !last && (unread.is_unread() || (repeat != Repeat::Never && pool.budget.retry()));
                match outcome {
                    Outcome::Answered(response) => return Ok(response),
                    Outcome::Refused(response) if !again() => return Ok(response),
                    Outcome::TimedOut if !in_part || !again() => {
                        return Err(Status::deadline_exceeded(format!(
                            "{service} did not answer in time"
                        )));
                    }
                    Outcome::Failed if !again() => return Err(lost(service)),
                    Outcome::Refused(_) | Outcome::TimedOut | Outcome::Failed => lost(service),
                }
            }
        };
        let wait = match pool.has_alternative(&tried) {
            true => Duration::ZERO,
            false => backoff(attempts),
        };
        if last || Instant::now() + wait >= ends {
            return Err(failure);
        }
        sleep(wait).await;
    }
    Err(lost(service))
}

fn lost(service: &str) -> Status {
    Status::unavailable(format!("a replica of {service} cannot be reached"))
}

async fn attempt(
    pool: &Pool,
    replica: &Arc<Replica>,
    request: http::Request<Body>,
    repeat: Repeat,
    until: Instant,
) -> Outcome {
    let open = Open::new(replica);
    let began = Instant::now();
    let mut channel = replica.channel.clone();
    let answer = async {
        let response = channel.ready().await?.call(request).await?;
        Ok::<_, tonic::transport::Error>(match repeat {
            Repeat::Always => whole(response).await,
            Repeat::Never | Repeat::UntilAnswered => {
                let code = status_in(response.headers());
                Ok((counted(response, open), code))
            }
        })
    };
    let failure = match timeout_at(until, answer).await {
        Ok(Ok(Ok((response, Some(Code::Unavailable))))) => {
            pool.failed(replica);
            return Outcome::Refused(response);
        }
        Ok(Ok(Ok((response, _)))) => {
            pool.answered(replica, (repeat == Repeat::Always).then(|| began.elapsed()));
            return Outcome::Answered(response);
        }
        // The channel knows the deadline too, and may be first.
        Ok(Ok(Err(_)) | Err(_)) if Instant::now() >= until => return timed_out(pool, replica),
        Err(_) => return timed_out(pool, replica),
        Ok(Ok(Err(status))) => status.to_string(),
        Ok(Err(error)) => error.to_string(),
    };
    tracing::debug!(service = pool.service, %replica, failure, "call failed");
    // Others need not find out too; an answer to the health check brings it back.
    if replica.health() == Health::Serving {
        pool.note(replica, Health::Doubtful);
    }
    replica.doubts.notify_one();
    Outcome::Failed
}

fn timed_out(pool: &Pool, replica: &Replica) -> Outcome {
    pool.failed(replica);
    // The next health check tells a replica that hangs from a call that takes its time.
    replica.doubts.notify_one();
    Outcome::TimedOut
}

/// The response, which counts as open until it has ended.
fn counted(response: http::Response<Body>, open: Open) -> http::Response<Body> {
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _counts = &open;
            frame
        }))
    })
}

impl Open {
    fn new(replica: &Arc<Replica>) -> Self {
        replica.begin_call();
        Self(replica.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.end_call();
    }
}
