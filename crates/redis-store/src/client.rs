use std::{sync::Arc, time::Duration};

use redis::{
    Cmd, Pipeline, RedisFuture, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
};
use tokio::sync::watch;

use crate::{
    Error, RedisAddress, health,
    pubsub::{Hub, Subscriber, Subscription},
};

/// Deadline of a command, connection included.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Redis, over one multiplexed connection for commands and one for pub/sub, whatever the load. Cheap to clone. Both
/// connections are opened when first needed and reopened when lost.
#[derive(Clone)]
pub struct Redis {
    commands: Commands,
    hub: Arc<Hub>,
    health: watch::Receiver<Result<(), Error>>,
}

/// The connection for commands. Each has a deadline.
#[derive(Clone)]
pub struct Commands(ConnectionManager);

impl Redis {
    /// Does not wait for Redis to be there. Must be called within a Tokio runtime; its tasks end with the last clone.
    pub fn connect(address: &RedisAddress) -> Result<Self, Error> {
        let client = address.client()?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            // A command fails soon when Redis is away; whoever needs it asks again.
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(200));
        let commands = Commands(ConnectionManager::new_lazy_with_config(client.clone(), config)?);
        let (sender, health) = watch::channel(Err(Error::Unreachable));
        tokio::spawn(health::watch(commands.clone(), sender));
        Ok(Self {
            commands,
            hub: Arc::new(Hub::start(client)),
            health,
        })
    }

    pub fn commands(&self) -> Commands {
        self.commands.clone()
    }

    /// Receives from many channels through one queue of `capacity` deliveries.
    pub fn subscriber(&self, capacity: usize) -> Subscriber {
        self.hub.subscriber(capacity)
    }

    /// Receives from one channel. Returns once Redis has confirmed the subscription.
    pub async fn subscribe(&self, channel: impl Into<String>) -> Result<Subscription, Error> {
        Subscription::open(self.hub.subscriber(256), channel.into()).await
    }

    pub async fn publish(&self, channel: &str, payload: &[u8]) -> Result<(), Error> {
        let mut commands = self.commands();
        Ok(redis::cmd("PUBLISH")
            .arg(channel)
            .arg(payload)
            .query_async(&mut commands)
            .await?)
    }

    /// Whether Redis can do its work, and if not, why; looked at every second.
    pub fn health(&self) -> watch::Receiver<Result<(), Error>> {
        self.health.clone()
    }
}

impl ConnectionLike for Commands {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        self.0.req_packed_command(command)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.0.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.0.get_db()
    }
}
