//! Retries of calls that may be repeated without harm.

use std::time::Duration;

use tonic::{Code, Status};

/// Attempts in all. Another replica is picked for each.
const ATTEMPTS: u32 = 3;

/// Runs an idempotent call, again if the replica that took it was unavailable. Never use it for calls with effects.
pub async fn idempotent<T, F>(mut call: impl FnMut() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    let mut attempt = 1;
    loop {
        match call().await {
            Err(status) if status.code() == Code::Unavailable && attempt < ATTEMPTS => {
                tokio::time::sleep(backoff(attempt)).await;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// 20 ms, 40 ms, …, with up to as much again of jitter, so that callers do not come back together.
pub fn backoff(attempt: u32) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let base = Duration::from_millis(20) * 2_u32.saturating_pow(attempt.min(8).saturating_sub(1));
    // `RandomState` is seeded anew each time: randomness enough for jitter.
    let jitter = RandomState::new().hash_one(attempt) % 100;
    base + base.mul_f64(jitter as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn an_unavailable_replica_is_tried_thrice_and_other_errors_once() {
        for (code, expected) in [
            (Code::Unavailable, 3),
            (Code::NotFound, 1),
            (Code::DeadlineExceeded, 1),
        ] {
            let calls = AtomicU32::new(0);
            let outcome: Result<(), _> = idempotent(|| {
                calls.fetch_add(1, Ordering::Relaxed);
                async move { Err(Status::new(code, "")) }
            })
            .await;
            assert_eq!(outcome.unwrap_err().code(), code);
            assert_eq!(calls.load(Ordering::Relaxed), expected, "{code:?}");
        }
    }
}
