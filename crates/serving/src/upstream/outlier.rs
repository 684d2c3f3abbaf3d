//! Whether a replica that claims to serve does so, judged by what happens to calls.

use std::time::Duration;

use tokio::time::Instant;

use crate::retry::jitter;

/// Failures in a row after which a replica is left alone for a while.
const FAILURES: u32 = 3;
/// Answers before the time they take counts.
const SAMPLES: u32 = 3;
/// A replica is slow if it takes so many times as long as the best other one …
const SLOWER: f64 = 5.0;
/// … and at least this long, seconds: faster is fast enough.
const SLOW_S: f64 = 0.25;
/// Of the average, in each new answer's share.
const WEIGHT: f64 = 0.3;
/// Seconds after which an average that nothing was added to counts half.
const FORGOTTEN_S: f64 = 1.0;
/// How long a replica is left alone: this, doubled each time in a row, up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(15);
/// A replica that behaved for so long has a clean record.
const CLEAN: Duration = Duration::from_secs(60);

/// The record of one replica.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Seconds to the answer of calls that take little time by themselves: moving average.
    latency_s: Option<f64>,
    samples: u32,
    sampled_at: Option<Instant>,
    /// Since it came back.
    answers: u32,
    /// In a row.
    failures: u32,
    ejections: u32,
    ejected_until: Option<Instant>,
    on_trial: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    /// Back from being left alone: one call at a time, until it proves itself.
    OnTrial,
    /// Left alone.
    Ejected,
}

impl Record {
    pub fn standing(&self, now: Instant) -> Standing {
        match (self.ejected_until, self.on_trial) {
            (Some(until), _) if now < until => Standing::Ejected,
            (_, true) => Standing::OnTrial,
            (_, false) => Standing::Good,
        }
    }

    /// Seconds, where enough is known.
    pub fn latency_s(&self) -> Option<f64> {
        self.latency_s.filter(|_| self.samples >= SAMPLES)
    }

    /// For choosing between replicas: more is worse.
    pub fn expected_s(&self, now: Instant) -> f64 {
        let known = self.latency_s.zip(self.sampled_at).map_or(0.0, |(latency, at)| {
            // A replica that gets no calls for being slow could never show that it is not any more.
            latency * 0.5_f64.powf((now - at).as_secs_f64() / FORGOTTEN_S)
        });
        // Differences below this are noise, and calls should be spread.
        known.max(0.02)
    }

    /// A call was answered, whose time says something about the replica if it is given.
    pub fn answered(&mut self, took: Option<Duration>, now: Instant) {
        if self.standing(now) == Standing::Ejected {
            // To a call from before.
            return;
        }
        self.failures = 0;
        self.answers = self.answers.saturating_add(1);
        let Some(took) = took.map(|took| took.as_secs_f64()) else {
            return;
        };
        self.samples = self.samples.saturating_add(1);
        self.sampled_at = Some(now);
        self.latency_s = Some(match self.latency_s {
            Some(before) => before + WEIGHT * (took - before),
            None => took,
        });
        if self.ejected_until.is_some_and(|until| now >= until + CLEAN) {
            self.ejections = 0;
            self.ejected_until = None;
        }
    }

    /// A call failed, or was not answered in time. Whether that was one too many.
    pub fn failed(&mut self) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.failures >= if self.on_trial { 1 } else { FAILURES }
    }

    /// Whether it is slow beside the best of the others.
    pub fn is_slow(&self, best_other_s: f64) -> bool {
        self.latency_s()
            .is_some_and(|latency| latency > SLOW_S.max(best_other_s * SLOWER))
    }

    /// To be called when it is on trial and was found fast enough.
    pub fn proven(&mut self) {
        self.on_trial &= self.answers < SAMPLES;
    }

    /// Leaves the replica alone; returns for how long.
    pub fn eject(&mut self, now: Instant) -> Duration {
        let time = (SHORTEST * 2_u32.saturating_pow(self.ejections.min(8))).min(LONGEST);
        let time = time + jitter(time / 4);
        *self = Self {
            ejections: self.ejections.saturating_add(1),
            ejected_until: Some(now + time),
            on_trial: true,
            ..Self::default()
        };
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Option<Duration> = Some(Duration::from_millis(2));
    const SLOW: Option<Duration> = Some(Duration::from_millis(800));

    #[tokio::test(start_paused = true)]
    async fn failures_count_in_a_row() {
        let mut record = Record::default();
        for _ in 0..10 {
            assert!(!record.failed());
            assert!(!record.failed());
            record.answered(None, Instant::now());
        }
        assert!(!record.failed());
        assert!(!record.failed());
        assert!(record.failed());
    }

    #[tokio::test(start_paused = true)]
    async fn slow_is_slow_beside_others_and_not_by_one_answer() {
        let mut record = Record::default();
        record.answered(SLOW, Instant::now());
        assert!(!record.is_slow(0.002));
        for _ in 0..SAMPLES {
            record.answered(SLOW, Instant::now());
        }
        assert!(record.is_slow(0.002));
        assert!(!record.is_slow(0.5), "all are slow: it is the work");
        let mut busy = Record::default();
        for _ in 0..9 {
            busy.answered(Some(Duration::from_millis(200)), Instant::now());
        }
        assert!(!busy.is_slow(0.002), "fast enough");
    }

    #[tokio::test(start_paused = true)]
    async fn slowness_is_forgotten() {
        let mut record = Record::default();
        record.answered(SLOW, Instant::now());
        assert!(record.expected_s(Instant::now()) > 0.7);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(record.expected_s(Instant::now()) < 0.03);
        record.eject(Instant::now());
        record.answered(SLOW, Instant::now());
        assert!(record.expected_s(Instant::now()) < 0.03, "an answer from before");
    }

    #[tokio::test(start_paused = true)]
    async fn the_way_back_is_a_trial_and_gets_longer() {
        let mut record = Record::default();
        let mut before = Duration::ZERO;
        for _ in 0..4 {
            let time = record.eject(Instant::now());
            assert!(time > before);
            before = time;
            assert_eq!(record.standing(Instant::now()), Standing::Ejected);
            tokio::time::advance(time).await;
            assert_eq!(record.standing(Instant::now()), Standing::OnTrial);
            assert!(record.failed(), "one failure is enough on trial");
        }
        for _ in 0..20 {
            assert!(record.eject(Instant::now()) <= LONGEST + LONGEST / 4);
        }
        tokio::time::advance(LONGEST * 2).await;
        for _ in 0..SAMPLES {
            assert_eq!(record.standing(Instant::now()), Standing::OnTrial);
            record.answered(FAST, Instant::now());
            record.proven();
        }
        assert_eq!(record.standing(Instant::now()), Standing::Good);
        tokio::time::advance(CLEAN).await;
        record.answered(FAST, Instant::now());
        assert!(
            record.eject(Instant::now()) <= SHORTEST + SHORTEST / 4,
            "forgotten"
        );
    }
}
