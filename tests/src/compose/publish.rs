//! A port of this machine that leads into a network namespace, through a socket that both can see.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::Context;
use tokio::{
    net::{TcpListener, UnixStream},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::network::Network;

/// Hands connections to `listener` on to `port` of a container. The answer is the relay inside.
pub fn publish(
    network: &Network,
    address: Ipv4Addr,
    port: &str,
    listener: TcpListener,
    socket: PathBuf,
    stop: CancellationToken,
) -> anyhow::Result<Child> {
    let relay = network
        .bridge()
        .enter()
        .arg("socat")
        .arg(format!("UNIX-LISTEN:{},fork", socket.display()))
        .arg(format!("TCP:{address}:{port}"))
        .stderr(Stdio::null())
        .spawn()
        .context("socat")?;
    tokio::spawn(stop.run_until_cancelled_owned(relay_to(listener, socket)));
    Ok(relay)
}

async fn relay_to(listener: TcpListener, socket: PathBuf) {
    while let Ok((mut outside, _)) = listener.accept().await {
        let socket = socket.clone();
        tokio::spawn(async move {
            if let Ok(mut inside) = connect(&socket).await {
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            }
        });
    }
}

/// The relay may be just starting.
async fn connect(socket: &Path) -> std::io::Result<UnixStream> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match UnixStream::connect(socket).await {
            Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(20)).await,
            result => return result,
        }
    }
}
