//! Asks a running edge whether it is alive, as its container does.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::Settings;

const TIMEOUT: Duration = Duration::from_secs(3);

/// `GET /livez` of the edge that runs with these settings on this machine.
pub async fn healthcheck(settings: &Settings) -> io::Result<()> {
    // One that listens on every interface is asked over loopback.
    let address = match settings.host.as_str() {
        "0.0.0.0" => format!("127.0.0.1:{}", settings.port),
        "::" | "[::]" => format!("[::1]:{}", settings.port),
        _ => settings.listen_address(),
    };
    timeout(TIMEOUT, ask(&address))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn ask(address: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(format!("GET /livez HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes())
        .await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        Ok(())
    } else {
        Err(io::Error::other("the answer is not 200"))
    }
}
