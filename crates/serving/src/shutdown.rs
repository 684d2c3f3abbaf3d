use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled on the first SIGINT or SIGTERM; the second one ends the process at once. For mains only: libraries get their
/// shutdown passed in.
pub fn shutdown_signal() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let cancel = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("shutting down; a second signal ends the process at once");
        cancel.cancel();
        let signal = tokio::select! {
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = terminate.recv() => SignalKind::terminate(),
        };
        tracing::warn!("ended by a second signal");
        // As shells report a process that a signal ended.
        std::process::exit(128 + signal.as_raw_value());
    });
    Ok(token)
}
