//! One connection to one server, which comes back by itself.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use rand::RngExt;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, Pipeline, RedisError,
    RedisResult, ServerErrorKind, Value, aio::MultiplexedConnection,
};
use tokio::time::Instant;

use crate::{
    observe::{Meter, Open},
    sentinel::Sentinels,
};

/// Deadline of a command.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A server that restarts is often back within this; longer outages are told at once.
const FIRST_RETRY: Duration = Duration::from_millis(200);

/// Host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Peer {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
}

/// How a server is found.
#[derive(Clone)]
pub(crate) enum Locator {
    Fixed(Arc<ConnectionInfo>),
    /// Whoever is the master now.
    Master(Arc<Sentinels>),
}

/// Delays between attempts to connect: doubling up to a bound, with jitter so that processes do not come all at once.
#[derive(Default)]
pub(crate) struct Backoff {
    failures: u32,
}

/// Cheap to clone; a clone is the same link.
#[derive(Clone)]
pub(crate) struct Link(Arc<Inner>);

struct Inner {
    locator: Locator,
    meter: Arc<Meter>,
    state: Mutex<State>,
}

struct State {
    /// Told apart, so that one loss is noticed once.
    generation: u64,
    current: Option<Attempt>,
    backoff: Backoff,
    retry_at: Instant,
    last_error: Option<RedisError>,
}

/// An established connection, or one that is being established.
type Attempt = Shared<BoxFuture<'static, RedisResult<Live>>>;

#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) peer: Peer,
    generation: u64,
    /// Goes with the last who uses the connection.
    _open: Arc<Open>,
}

impl Peer {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    pub(crate) fn of(info: &ConnectionInfo) -> Self {
        match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Self::new(host, *port)
            }
            _ => Self::new("", 0),
        }
    }

    /// The same way of connecting, to this server.
    pub(crate) fn reached_like(&self, template: &ConnectionInfo) -> ConnectionInfo {
        let host = self.host.to_string();
        let addr = match template.addr() {
            ConnectionAddr::TcpTls {
                insecure, tls_params, ..
            } => ConnectionAddr::TcpTls {
                host,
                port: self.port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(host, self.port),
        };
        template.clone().set_addr(addr)
    }
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(2);

    /// How long to wait before the next attempt.
    pub(crate) fn next(&mut self) -> Duration {
        let bound = Self::FIRST
            .saturating_mul(1 << self.failures.min(10))
            .min(Self::LONGEST);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

impl Locator {
    /// Connects, over a connection of its own.
    pub(crate) async fn connect(
        &self,
        config: AsyncConnectionConfig,
        prepare: impl FnOnce(ConnectionInfo) -> ConnectionInfo + Send,
    ) -> RedisResult<(MultiplexedConnection, Peer)> {
        let info = match self {
            Self::Fixed(info) => ConnectionInfo::clone(info),
            Self::Master(sentinels) => sentinels.master().await?,
        };
        let peer = Peer::of(&info);
        let config = config.set_connection_timeout(Some(CONNECT_TIMEOUT));
        let opened = async {
            let client = Client::open(prepare(info))?;
            let mut connection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            if let Self::Master(_) = self {
                // Sentinels name the old master until they agree on the new one.
                let role: Vec<Value> = redis::cmd("ROLE").query_async(&mut connection).await?;
                if role.first() != Some(&Value::BulkString(b"master".to_vec())) {
                    return Err(RedisError::from((
                        ErrorKind::Server(ServerErrorKind::ReadOnly),
                        "the sentinels name a server that is no master",
                    )));
                }
            }
            Ok(connection)
        };
        let connection = tokio::time::timeout(CONNECT_TIMEOUT, opened)
            .await
            .map_err(|_| timed_out())??;
        Ok((connection, peer))
    }

    /// Whether a connection to `peer` still leads where it should.
    pub(crate) fn leads_to(&self, peer: &Peer) -> bool {
        match self {
            Self::Fixed(_) => true,
            Self::Master(sentinels) => sentinels.known().is_none_or(|master| master == *peer),
        }
    }
}

impl Link {
    /// Connects when it is first asked to.
    pub(crate) fn new(locator: Locator, meter: Arc<Meter>) -> Self {
        Self(Arc::new(Inner {
            locator,
            meter,
            state: Mutex::new(State {
                generation: 0,
                current: None,
                backoff: Backoff::default(),
                retry_at: Instant::now(),
                last_error: None,
            }),
        }))
    }

    /// The connection, once it is there. Fails at once between attempts: whoever needs it asks again.
    pub(crate) async fn live(&self) -> RedisResult<Live> {
        let attempt = self.attempt()?;
        let outcome = attempt.await;
        match &outcome {
            Ok(live) if !self.0.locator.leads_to(&live.peer) => {
                self.lost(live.generation);
                self.attempt()?.await
            }
            Ok(_) | Err(_) => outcome,
        }
    }

    /// Sends a pipeline and looks at what came of it: a connection that proves useless is replaced.
    pub(crate) async fn send(
        &self,
        live: &Live,
        pipeline: &Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        let outcome = live
            .connection
            .clone()
            .send_packed_commands(pipeline, offset, count)
            .await;
        self.judge(live, outcome.as_ref().map(Vec::as_slice));
        outcome
    }

    pub(crate) async fn send_one(&self, live: &Live, command: &redis::Cmd) -> RedisResult<Value> {
        let outcome = live.connection.clone().send_packed_command(command).await;
        self.judge(live, outcome.as_ref().map(std::slice::from_ref));
        outcome
    }

    fn judge(&self, live: &Live, outcome: Result<&[Value], &RedisError>) {
        let useless = match outcome {
            // A server that does not answer may be gone without having said so.
            Err(error) => error.is_unrecoverable_error() || error.is_timeout() || demoted(error.kind()),
            Ok(values) => values.iter().any(|value| match value {
                Value::ServerError(error) => {
                    error.kind().is_some_and(|kind| demoted(ErrorKind::Server(kind)))
                }
                _ => false,
            }),
        };
        if useless {
            self.lost(live.generation);
        }
    }

    fn lost(&self, generation: u64) {
        let mut state = self.state();
        if state.generation == generation {
            state.current = None;
        }
    }

    fn attempt(&self) -> RedisResult<Attempt> {
        let mut state = self.state();
        if let Some(attempt) = &state.current {
            return Ok(attempt.clone());
        }
        if let Some(error) = &state.last_error
            && Instant::now() < state.retry_at
        {
            return Err(error.clone());
        }
        state.generation += 1;
        let (link, generation) = (self.clone(), state.generation);
        // In a task of its own: it goes on when whoever asked for it has stopped waiting.
        let task = tokio::spawn(async move { link.establish(generation).await });
        let attempt = async move { task.await.unwrap_or_else(|_| Err(timed_out())) }
            .boxed()
            .shared();
        state.current = Some(attempt.clone());
        Ok(attempt)
    }

    async fn establish(&self, generation: u64) -> RedisResult<Live> {
        let mut outcome = self.open().await;
        if outcome.as_ref().is_err_and(RedisError::is_connection_refusal) {
            let pause = FIRST_RETRY.mul_f64(rand::rng().random_range(0.25..=1.0));
            tokio::time::sleep(pause).await;
            outcome = self.open().await;
        }
        let mut state = self.state();
        match outcome {
            Ok((connection, peer)) => {
                state.backoff.reset();
                state.last_error = None;
                Ok(Live {
                    connection,
                    peer,
                    generation,
                    _open: Arc::new(self.0.meter.opened(generation > 1)),
                })
            }
            Err(error) => {
                state.retry_at = Instant::now() + state.backoff.next();
                state.last_error = Some(error.clone());
                if state.generation == generation {
                    state.current = None;
                }
                Err(error)
            }
        }
    }

    async fn open(&self) -> RedisResult<(MultiplexedConnection, Peer)> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(RESPONSE_TIMEOUT));
        self.0.locator.connect(config, |info| info).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the answer of a server means that another one is the master now.
fn demoted(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
    )
}

pub(crate) fn timed_out() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

#[cfg(test)]
mod tests {
    use telemetry::Metrics;

    use super::*;
    use crate::testing::{RedisServer, until};

    /// As of those who are asked together who owns what: the first answer is enough, the others' connections are dropped.
    #[tokio::test]
    async fn a_link_that_is_given_up_while_it_connects_does_not_count_as_open() {
        let server = RedisServer::start().await;
        let meter = Arc::new(Meter::new(&Metrics::none()));
        let address = server.address().connections().unwrap().remove(0);
        let link = Link::new(Locator::Fixed(address.into()), meter.clone());
        let mut before = received(&server).await;
        assert!(
            link.live().now_or_never().is_none(),
            "it takes a while to connect"
        );
        drop(link);
        until(
            "the link's connection is there, besides that of the question",
            async || {
                let now = received(&server).await;
                let asked = std::mem::replace(&mut before, now) + 1;
                now > asked
            },
        )
        .await;
        until("it does not count any more", async || {
            meter.usage().connections == 0
        })
        .await;
    }

    /// How many connections the server has accepted since it started, with the one that asks.
    async fn received(server: &RedisServer) -> u64 {
        let stats: String = server.command(&["INFO", "stats"]).await;
        let count = stats
            .lines()
            .find_map(|line| line.strip_prefix("total_connections_received:"));
        count.unwrap().parse().unwrap()
    }
}
