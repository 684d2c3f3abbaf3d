use std::fmt::Display;

use tokio::sync::watch;

/// Whether a process can do its work now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// Why not, for operators.
    NotReady(String),
}

pub type ReadinessReceiver = watch::Receiver<Readiness>;

/// For a service that depends on nothing.
pub fn always_ready() -> ReadinessReceiver {
    watch::channel(Readiness::Ready).1
}

/// For a service that is ready while what it depends on answers, such as `redis_store::Redis::health`. Must be called
/// within a Tokio runtime; its task ends with either side.
pub fn ready_while<E>(mut health: watch::Receiver<Result<(), E>>) -> ReadinessReceiver
where
    E: Display + Send + Sync + 'static,
{
    let (sender, readiness) = watch::channel(of(&health.borrow_and_update()));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                changed = health.changed() => if changed.is_err() {
                    return;
                },
                () = sender.closed() => return,
            }
            let now = of(&health.borrow_and_update());
            sender.send_if_modified(|before| {
                let changed = *before != now;
                *before = now;
                changed
            });
        }
    });
    readiness
}

fn of<E: Display>(health: &Result<(), E>) -> Readiness {
    match health {
        Ok(()) => Readiness::Ready,
        Err(error) => Readiness::NotReady(error.to_string()),
    }
}
