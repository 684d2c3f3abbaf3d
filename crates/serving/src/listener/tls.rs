//! Accepting with TLS: a handshake must not keep others waiting.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
    time::{sleep, timeout},
};

use super::Connection;
use crate::ServerTls;

/// Handshakes under way at once. More are turned away.
const MAX_HANDSHAKES: usize = 256;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Out of descriptors, accepting fails at once and again.
const PAUSE: Duration = Duration::from_millis(100);

/// Hands on what has done its handshake, until nobody takes it any more.
pub(super) async fn accept(
    listener: TcpListener,
    tls: ServerTls,
    ready: mpsc::Sender<io::Result<Connection>>,
) {
    let slots = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ready.closed() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if ready.send(Err(error)).await.is_err() {
                    return;
                }
                sleep(PAUSE).await;
                continue;
            }
        };
        // Whoever opens connections and says nothing takes these places only.
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            continue;
        };
        let (tls, ready) = (tls.clone(), ready.clone());
        tokio::spawn(async move {
            // Small messages must not wait for more (Nagle).
            _ = stream.set_nodelay(true);
            match timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
                Ok(Ok(stream)) => _ = ready.send(Ok(Connection::Tls(Box::new(stream)))).await,
                Ok(Err(error)) => tracing::info!(%peer, %error, "a caller was refused"),
                Err(_) => tracing::debug!(%peer, "a caller did not finish its tls handshake"),
            }
            drop(slot);
        });
    }
}
