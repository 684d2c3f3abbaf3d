//! Whether a replica serves: by its own word (`Health/Watch`), and by whether it still answers (`Health/Check`).

use std::sync::Arc;

use tokio::time::{sleep, timeout};
use tonic::{Code, Response};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};

use super::{
    pool::Pool,
    replica::{Health, Replica},
};
use crate::{
    Reason, Target,
    retry::{backoff, jitter},
};

/// Follows what the replica says of itself.
pub(super) async fn watch(pool: Arc<Pool>, replica: Arc<Replica>) {
    let mut failures = 0;
    loop {
        let mut client = HealthClient::new(replica.channel.clone());
        match client.watch(about(&pool)).await {
            Ok(response) => {
                let mut updates = response.into_inner();
                let failed = loop {
                    match updates.message().await {
                        Ok(Some(update)) => {
                            // One that drains ends the watch with its first word, each time.
                            if update.status() == ServingStatus::Serving {
                                failures = 0;
                            }
                            heard(&pool, &replica, update.status());
                        }
                        // It has said that it does not serve any more, or it will be found out at once.
                        Ok(None) => break false,
                        Err(_) => break true,
                    }
                };
                if failed {
                    pool.note(&replica, Health::NotServing(replica.why_lost()));
                }
            }
            // A service without the health protocol counts as healthy while it can be reached.
            Err(status) if status.code() == Code::Unimplemented => {
                failures = 0;
                pool.note(&replica, Health::Serving);
                sleep(pool.settings.check_interval * 5).await;
                continue;
            }
            Err(_) => pool.note(&replica, Health::NotServing(replica.why_lost())),
        }
        failures = u32::min(failures + 1, 6);
        sleep(backoff(failures)).await;
    }
}

/// A watch is silent while nothing changes, and so is a replica that hangs. Asking now and then tells them apart; the
/// answer also has the reason why a replica does not serve.
pub(super) async fn check(pool: Arc<Pool>, replica: Arc<Replica>) {
    let interval = pool.settings.check_interval;
    let mut client = HealthClient::new(replica.channel.clone());
    loop {
        tokio::select! {
            () = sleep(interval + jitter(interval / 10)) => {}
            () = replica.doubts.notified() => {}
        }
        match replica.health() {
            // There is no connection to lose.
            Health::Serving if matches!(replica.target, Target::Memory(_)) => continue,
            // The watch is the one that tries to connect.
            Health::NotServing(Reason::Unreachable | Reason::TlsRefused) => continue,
            Health::Serving | Health::Doubtful | Health::Unknown | Health::NotServing(_) => {}
        }
        let answer = timeout(pool.settings.check_timeout, client.check(about(&pool))).await;
        match (answer, replica.health()) {
            (Ok(Ok(answer)), now) => checked(&pool, &replica, &answer, now),
            (Ok(Err(status)), Health::Doubtful) if status.code() == Code::Unimplemented => {
                pool.note(&replica, Health::Serving);
            }
            (Err(_), Health::Serving | Health::Unknown) => pool.note(&replica, Health::Doubtful),
            // What has broken, the watch finds out.
            (Ok(Err(_)) | Err(_), _) => {}
        }
    }
}

/// Only the watch says in which order things happened, so that an answer changes nothing that it has said.
fn checked(pool: &Pool, replica: &Replica, answer: &Response<HealthCheckResponse>, now: Health) {
    let serves = answer.get_ref().status() == ServingStatus::Serving;
    match now {
        Health::Doubtful if serves => pool.note(replica, Health::Serving),
        Health::NotServing(_) | Health::Doubtful if !serves => {
            let reason = answer.metadata().get(Reason::METADATA);
            let reason = reason.and_then(|token| token.to_str().ok());
            let reason = reason.map_or(Reason::NotServing, Reason::from_token);
            pool.note(replica, Health::NotServing(reason));
        }
        Health::Unknown | Health::Serving | Health::NotServing(_) | Health::Doubtful => {}
    }
}

fn heard(pool: &Pool, replica: &Replica, status: ServingStatus) {
    if status == ServingStatus::Serving {
        pool.note(replica, Health::Serving);
        return;
    }
    match replica.health() {
        // It said why before, and may say something else now.
        Health::NotServing(reason) if !matches!(reason, Reason::Unreachable | Reason::TlsRefused) => {}
        _ => pool.note(replica, Health::NotServing(Reason::NotServing)),
    }
    replica.doubts.notify_one();
}

fn about(pool: &Pool) -> HealthCheckRequest {
    HealthCheckRequest {
        service: pool.service.to_owned(),
    }
}
