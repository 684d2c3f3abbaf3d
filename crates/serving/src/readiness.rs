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
