//! Whether a process can do its work, and if not, why.

mod damping;
mod reason;

use tokio::sync::watch;

pub use damping::{Damping, damped};
pub use reason::Reason;

/// Whether a process can do its work now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    NotReady(Reason),
}

pub type ReadinessReceiver = watch::Receiver<Readiness>;

/// For a service that depends on nothing.
pub fn always_ready() -> ReadinessReceiver {
    watch::channel(Readiness::Ready).1
}

/// For a service that is ready while what it depends on answers, such as `redis_store::Redis::health`. Damped, so that a blip is not an outage. Must be called within a Tokio runtime;
/// its tasks end with either side.
pub fn ready_while<E>(
    mut health: watch::Receiver<Result<(), E>>,
    reason: impl Fn(&E) -> Reason + Send + 'static,
) -> ReadinessReceiver
where
    E: Send + Sync + 'static,
{
    let read = move |health: &Result<(), E>| match health {
        Ok(()) => Readiness::Ready,
        Err(error) => Readiness::NotReady(reason(error)),
    };
    let (sender, readiness) = watch::channel(read(&health.borrow_and_update()));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                changed = health.changed() => if changed.is_err() {
                    return;
                },
                () = sender.closed() => return,
            }
            let now = read(&health.borrow_and_update());
            set(&sender, now);
        }
    });
    damped(readiness, Damping::SERVICE)
}

/// Wakes receivers only if the value is another one.
pub(crate) fn set(sender: &watch::Sender<Readiness>, now: Readiness) {
    sender.send_if_modified(|before| std::mem::replace(before, now) != now);
}
