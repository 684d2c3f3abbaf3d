//! Readiness that others act upon must not flap.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{Readiness, ReadinessReceiver, Reason, set};

/// How long a change has to last before it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Damping {
    /// From ready to not ready. A shutdown is shown at once.
    pub down: Duration,
    /// From not ready back to ready. The first time is shown at once.
    pub up: Duration,
}

impl Damping {
    /// For a service whose store blinks: its calls fail by themselves meanwhile.
    pub const SERVICE: Self = Self {
        down: Duration::from_millis(1_000),
        up: Duration::from_millis(250),
    };
    /// For an edge whose services blink: a load balancer need not hear of it.
    pub const EDGE: Self = Self {
        down: Duration::from_millis(1_500),
        up: Duration::from_millis(500),
    };
}

/// Follows `source` as `damping` says. Must be called within a Tokio runtime; its task ends with either side.
pub fn damped(mut source: ReadinessReceiver, damping: Damping) -> ReadinessReceiver {
    let (sender, shown) = watch::channel(*source.borrow_and_update());
    tokio::spawn(async move {
        let mut was_ready = *sender.borrow() == Readiness::Ready;
        // Since when the source has said the opposite of what is shown.
        let mut since = None;
        loop {
            let now = *source.borrow_and_update();
            let patience = match (*sender.borrow(), now) {
                (Readiness::Ready, Readiness::NotReady(Reason::ShuttingDown)) => Some(Duration::ZERO),
                (Readiness::Ready, Readiness::NotReady(_)) => Some(damping.down),
                (Readiness::NotReady(_), Readiness::Ready) if was_ready => Some(damping.up),
                (Readiness::NotReady(_), Readiness::Ready) => Some(Duration::ZERO),
                _ => None,
            };
            let due = match patience {
                Some(patience) => *since.get_or_insert_with(Instant::now) + patience,
                None => {
                    since = None;
                    // At most another reason.
                    set(&sender, now);
                    Instant::now()
                }
            };
            if since.is_some() && due <= Instant::now() {
                since = None;
                was_ready |= now == Readiness::Ready;
                set(&sender, now);
            }
            tokio::select! {
                changed = source.changed() => if changed.is_err() {
                    return;
                },
                () = sleep_until(due), if since.is_some() => {}
                () = sender.closed() => return,
            }
        }
    });
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAMPING: Damping = Damping {
        down: Duration::from_secs(2),
        up: Duration::from_secs(1),
    };

    fn not(reason: Reason) -> Readiness {
        Readiness::NotReady(reason)
    }

    async fn pass(milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_blip_is_not_shown_and_an_outage_is() {
        let (source, receiver) = watch::channel(Readiness::Ready);
        let shown = damped(receiver, DAMPING);
        for _ in 0..5 {
            source.send_replace(not(Reason::RedisTimeout));
            pass(1_900).await;
            source.send_replace(Readiness::Ready);
            pass(10).await;
        }
        assert!(!shown.has_changed().unwrap());
        source.send_replace(not(Reason::RedisTimeout));
        pass(1_000).await;
        // Another reason is the same outage.
        source.send_replace(not(Reason::RedisLoading));
        pass(990).await;
        assert_eq!(*shown.borrow(), Readiness::Ready);
        pass(20).await;
        assert_eq!(*shown.borrow(), not(Reason::RedisLoading));
        source.send_replace(not(Reason::RedisReadOnly));
        pass(1).await;
        assert_eq!(*shown.borrow(), not(Reason::RedisReadOnly));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_ready_at_once_the_first_time_and_later_only_when_it_lasts() {
        let (source, receiver) = watch::channel(not(Reason::Starting));
        let shown = damped(receiver, DAMPING);
        source.send_replace(Readiness::Ready);
        pass(1).await;
        assert_eq!(*shown.borrow(), Readiness::Ready);
        source.send_replace(not(Reason::Unreachable));
        pass(2_010).await;
        for _ in 0..5 {
            source.send_replace(Readiness::Ready);
            pass(900).await;
            source.send_replace(not(Reason::Unreachable));
            pass(10).await;
            assert_eq!(*shown.borrow(), not(Reason::Unreachable));
        }
        source.send_replace(Readiness::Ready);
        pass(1_010).await;
        assert_eq!(*shown.borrow(), Readiness::Ready);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_is_shown_at_once() {
        let (source, receiver) = watch::channel(Readiness::Ready);
        let shown = damped(receiver, DAMPING);
        source.send_replace(not(Reason::ShuttingDown));
        pass(1).await;
        assert_eq!(*shown.borrow(), not(Reason::ShuttingDown));
    }
}
