//! Retries must not turn an overload into a collapse: they may only be a fraction of all calls.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// Retries that may be saved up: enough for what is under way when a replica dies.
const MOST: f64 = 500.0;
/// Retries that each call brings.
const PER_CALL: f64 = 0.1;
/// Retries that each second brings, for services that are called rarely.
const PER_SECOND: f64 = 5.0;

/// What is left for retries to one service. Full at first.
pub(super) struct Budget(Mutex<Left>);

struct Left {
    retries: f64,
    as_of: Instant,
}

impl Budget {
    pub fn new() -> Self {
        Self(Mutex::new(Left {
            retries: MOST,
            as_of: Instant::now(),
        }))
    }

    /// Another call was made.
    pub fn call(&self) {
        self.change(PER_CALL);
    }

    /// Whether a call may be made again.
    pub fn retry(&self) -> bool {
        self.change(-1.0)
    }

    fn change(&self, by: f64) -> bool {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let earned = (now - left.as_of).as_secs_f64() * PER_SECOND;
        left.as_of = now;
        let retries = (left.retries + earned).min(MOST) + by;
        let enough = retries >= 0.0;
        left.retries = if enough { retries.min(MOST) } else { retries - by };
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn when_every_call_fails_one_in_ten_is_made_again() {
        let budget = Budget::new();
        let saved = (0..10_000).filter(|_| budget.retry()).count();
        assert_eq!(saved, 500);
        let retried = (0..10_000)
            .filter(|_| {
                budget.call();
                budget.retry()
            })
            .count();
        assert!((999..=1_001).contains(&retried), "{retried}");
        tokio::time::advance(Duration::from_secs(2)).await;
        let later = (0..1_000).filter(|_| budget.retry()).count();
        assert!((10..=11).contains(&later), "{later}");
    }
}
