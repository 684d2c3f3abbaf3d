//! Asks a running edge how it is, as its container does.

use std::{fmt, io, time::Duration};

use serving::ClientTls;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::Settings;

const TIMEOUT: Duration = Duration::from_secs(3);

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// `GET /livez`: whether the process works.
    Alive,
    /// `GET /readyz`: whether the services behind it answer, too.
    Ready,
}

/// Asks the edge that runs with these settings on this machine.
pub async fn healthcheck(settings: &Settings, probe: Probe) -> io::Result<()> {
    // One that listens on every interface is asked over loopback.
    let address = match settings.host.as_str() {
        "0.0.0.0" => format!("127.0.0.1:{}", settings.port),
        "::" | "[::]" => format!("[::1]:{}", settings.port),
        _ => settings.listen_address(),
    };
    let tls = settings
        .tls
        .clone()
        .map(|files| ClientTls::for_itself(files.cert, None));
    let tls = tls.transpose().map_err(io::Error::other)?;
    let asking = async {
        let stream = TcpStream::connect(&address).await?;
        match tls {
            Some(tls) => ask(tls.connect("localhost", stream).await?, &address, probe.path()).await,
            None => ask(stream, &address, probe.path()).await,
        }
    };
    timeout(TIMEOUT, asking)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn ask<S>(mut stream: S, address: &str, path: &str) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes())
        .await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        Ok(())
    } else {
        Err(io::Error::other("the answer is not 200"))
    }
}

impl Probe {
    fn path(self) -> &'static str {
        match self {
            Self::Alive => "/livez",
            Self::Ready => "/readyz",
        }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alive => "alive",
            Self::Ready => "ready",
        })
    }
}
