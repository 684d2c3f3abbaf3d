//! The stages of a shutdown, as calls and streams see it.

use std::time::Duration;

use serving::CancellationToken;

/// What calls get to end by themselves before anything is done about them. At most a quarter of the drain time.
const SHORT: Duration = Duration::from_secs(1);

/// Tells when to leave. Cheap to clone.
#[derive(Clone)]
pub struct Leaving {
    begun: CancellationToken,
    short_over: CancellationToken,
    over: CancellationToken,
    stopped: CancellationToken,
}

impl Leaving {
    /// `drain` is all the time there is after `shutdown`.
    pub fn start(shutdown: CancellationToken, drain: Duration) -> Self {
        let leaving = Self {
            begun: shutdown,
            short_over: CancellationToken::new(),
            over: CancellationToken::new(),
            stopped: CancellationToken::new(),
        };
        let stages = leaving.clone();
        tokio::spawn(async move {
            stages.begun.cancelled().await;
            let short = SHORT.min(drain / 4);
            tokio::time::sleep(short).await;
            stages.short_over.cancel();
            // As much again is left to say how calls ended.
            tokio::time::sleep(drain.saturating_sub(short * 2)).await;
            stages.over.cancel();
        });
        leaving
    }

    /// The shutdown began: streams that only wait end.
    pub fn begun(&self) -> &CancellationToken {
        &self.begun
    }

    /// Calls that are still under way will take longer: their streams end, and other edges take over what they can.
    pub fn short_calls_over(&self) -> &CancellationToken {
        &self.short_over
    }

    /// Calls that are still under way will not end here.
    pub fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// Nothing is left to do: what runs beside requests ends.
    pub fn stopped(&self) -> &CancellationToken {
        &self.stopped
    }
}
