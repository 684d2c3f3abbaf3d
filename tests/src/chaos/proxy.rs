//! A TCP proxy that misbehaves when told to: resets, delays, holds everything back, or lets bytes through slowly.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long one target may take to accept.
const DIAL: Duration = Duration::from_secs(2);
const CHUNK: usize = 16 * 1024;

/// Where connections are passed on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What happens to bytes on their way, in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weather {
    #[default]
    Fair,
    /// Each piece arrives this much later.
    Delayed(Duration),
    /// Nothing arrives, and nobody is told: new connections are accepted and lead nowhere.
    Partitioned,
    /// Bytes in a second.
    Narrow(usize),
}

/// One way between two parts, or from clients to all edges.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

struct Shared {
    targets: Mutex<Vec<Target>>,
    turn: AtomicUsize,
    weather: watch::Sender<Weather>,
    /// Cancelled to end every connection that there is.
    connections: Mutex<CancellationToken>,
}

enum Upstream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Proxy {
    /// Passes connections on to the targets in turn. One that does not accept is passed over, as by a load balancer.
    pub async fn start(targets: Vec<Target>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            targets: Mutex::new(targets),
            turn: AtomicUsize::new(0),
            weather: watch::Sender::new(Weather::Fair),
            connections: Mutex::default(),
        });
        let stop = CancellationToken::new();
        tokio::spawn(
            stop.clone()
                .run_until_cancelled_owned(accept(listener, shared.clone())),
        );
        Ok(Self {
            address,
            shared,
            _stop: stop.drop_guard(),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections elsewhere. Those that are open stay.
    pub fn lead_to(&self, targets: Vec<Target>) {
        *lock(&self.shared.targets) = targets;
    }

    pub fn set(&self, weather: Weather) {
        self.shared.weather.send_replace(weather);
    }

    /// Ends every connection with a reset.
    pub fn reset(&self) {
        let mut connections = lock(&self.shared.connections);
        connections.cancel();
        *connections = CancellationToken::new();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.reset();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        tokio::spawn(carry(client, shared.clone()));
    }
}

async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    let end = lock(&shared.connections).clone();
    let mut weather = shared.weather.subscribe();
    let open = |weather: &Weather| *weather != Weather::Partitioned;
    let dialled = end.run_until_cancelled(async {
        _ = weather.wait_for(open).await;
        shared.dial().await
    });
    let Some(Ok(mut upstream)) = dialled.await else {
        return reset(&client);
    };
    _ = client.set_nodelay(true);
    let carried = end
        .run_until_cancelled(upstream.exchange(&mut client, &weather))
        .await;
    if !matches!(carried, Some(Ok(()))) {
        reset(&client);
        upstream.reset();
    }
}

/// The connection will be closed with a reset instead of a farewell.
fn reset(stream: &TcpStream) {
    _ = stream.set_zero_linger();
}

impl Upstream {
    async fn exchange(
        &mut self,
        client: &mut TcpStream,
        weather: &watch::Receiver<Weather>,
    ) -> io::Result<()> {
        match self {
            Self::Tcp(upstream) => {
                _ = upstream.set_nodelay(true);
                let (read, write) = upstream.split();
                both_ways(client, read, write, weather).await
            }
            Self::Unix(upstream) => {
                let (read, write) = upstream.split();
                both_ways(client, read, write, weather).await
            }
        }
    }

    fn reset(&self) {
        match self {
            Self::Tcp(upstream) => reset(upstream),
            // Has no other way to end.
            Self::Unix(_) => {}
        }
    }
}

/// Until either side ends. What it said before is passed on first.
async fn both_ways(
    client: &mut TcpStream,
    read: impl AsyncRead + Unpin,
    write: impl AsyncWrite + Unpin,
    weather: &watch::Receiver<Weather>,
) -> io::Result<()> {
    let (from_client, to_client) = client.split();
    tokio::select! {
        there = pass_on(from_client, write, weather.clone()) => there,
        back = pass_on(read, to_client, weather.clone()) => back,
    }
}

async fn pass_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let narrow = matches!(*weather.borrow(), Weather::Narrow(_));
        let room = if narrow { CHUNK / 16 } else { CHUNK };
        let read = from.read(&mut buffer[..room]).await?;
        if read == 0 {
            return Ok(());
        }
        loop {
            let now = *weather.borrow_and_update();
            match now {
                Weather::Fair => break,
                Weather::Delayed(delay) => {
                    sleep(delay).await;
                    break;
                }
                Weather::Narrow(rate) => {
                    sleep(Duration::from_secs_f64(read as f64 / rate.max(1) as f64)).await;
                    break;
                }
                Weather::Partitioned => {
                    if weather.changed().await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
        to.write_all(&buffer[..read]).await?;
    }
}

impl Shared {
    async fn dial(&self) -> io::Result<Upstream> {
        let targets = lock(&self.targets).clone();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        for offset in 0..targets.len() {
            let target = &targets[(first + offset) % targets.len()];
            let dialled = match target {
                Target::Tcp(address) => timeout(DIAL, TcpStream::connect(address))
                    .await
                    .map(|dialled| dialled.map(Upstream::Tcp)),
                Target::Unix(path) => timeout(DIAL, UnixStream::connect(path))
                    .await
                    .map(|dialled| dialled.map(Upstream::Unix)),
            };
            if let Ok(Ok(upstream)) = dialled {
                return Ok(upstream);
            }
        }
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets, and a way to it.
    async fn echo() -> (Proxy, Target) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::Tcp(listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        (Proxy::start(vec![target.clone()]).await.unwrap(), target)
    }

    async fn says_back(stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(b"hello").await?;
        let mut back = [0; 5];
        stream.read_exact(&mut back).await?;
        assert_eq!(&back, b"hello");
        Ok(())
    }

    #[tokio::test]
    async fn fair_weather_passes_everything_on_and_dead_targets_are_passed_over() {
        let (proxy, alive) = echo().await;
        let dead = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        proxy.lead_to(vec![Target::Tcp(dead), alive]);
        for _ in 0..4 {
            let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
            says_back(&mut stream).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_reset_ends_what_is_open_and_nothing_else() {
        let (proxy, _) = echo().await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        says_back(&mut stream).await.unwrap();
        proxy.reset();
        let error = says_back(&mut stream).await.unwrap_err();
        let expected = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
        assert!(expected.contains(&error.kind()), "{error}");
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        says_back(&mut stream).await.unwrap();
    }

    #[tokio::test]
    async fn a_partition_holds_everything_back_until_it_heals() {
        let (proxy, _) = echo().await;
        let mut old = TcpStream::connect(proxy.address()).await.unwrap();
        says_back(&mut old).await.unwrap();
        proxy.set(Weather::Partitioned);
        let mut new = TcpStream::connect(proxy.address()).await.unwrap();
        let silence = Duration::from_millis(100);
        let (held, held_too) = tokio::join!(
            timeout(silence, says_back(&mut old)),
            timeout(silence, says_back(&mut new))
        );
        assert!(held.is_err() && held_too.is_err());
        proxy.set(Weather::Fair);
        for stream in [&mut old, &mut new] {
            let mut back = [0; 5];
            timeout(DIAL, stream.read_exact(&mut back))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(&back, b"hello");
        }
    }

    #[tokio::test]
    async fn delays_and_narrow_ways_take_their_time() {
        let (proxy, _) = echo().await;
        for weather in [Weather::Delayed(Duration::from_millis(50)), Weather::Narrow(100)] {
            proxy.set(weather);
            let began = std::time::Instant::now();
            let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
            says_back(&mut stream).await.unwrap();
            assert!(began.elapsed() >= Duration::from_millis(100), "{weather:?}");
        }
    }
}
