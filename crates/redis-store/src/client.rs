use std::sync::Arc;

use telemetry::{
    Metrics,
    metrics::redis::{self as measures, RedisUse},
};
use tokio::sync::watch;

use crate::{
    Commands, Error, RedisAddress, Usage,
    address::Topology,
    cluster::Cluster,
    commands::Route,
    health,
    link::{Link, Locator},
    observe::Meter,
    pubsub::{Hub, Lines, Subscriber, Subscription},
    sentinel::Sentinels,
};

/// Redis, over one multiplexed connection for commands and one for pub/sub (with a cluster: per master), whatever the
/// load. Cheap to clone. Connections are opened when first needed and reopened when lost.
#[derive(Clone)]
pub struct Redis {
    commands: Commands,
    durable: Commands,
    hub: Arc<Hub>,
    health: watch::Receiver<Result<(), Error>>,
    meter: Arc<Meter>,
    publish_command: &'static str,
}

impl Redis {
    /// Does not wait for Redis to be there. Must be called within a Tokio runtime; its tasks end with the last clone.
    pub fn connect(address: &RedisAddress) -> Result<Self, Error> {
        Self::connect_measured(address, &Metrics::none())
    }

    /// The same, and its use is measured.
    pub fn connect_measured(address: &RedisAddress, metrics: &Metrics) -> Result<Self, Error> {
        let nodes = address.connections()?;
        let meter = Arc::new(Meter::new(metrics));
        let db = nodes[0].redis_settings().db();
        let locator = match &address.topology {
            Topology::Single => Some(Locator::Fixed(nodes[0].clone().into())),
            Topology::Sentinel { service } => Some(Locator::Master(Sentinels::start(
                service.clone(),
                &nodes,
                &address.sentinel_login,
            ))),
            Topology::Cluster => None,
        };
        let route = || match &locator {
            Some(locator) => Route::One(Link::new(locator.clone(), meter.clone())),
            None => Route::Cluster(Cluster::new(nodes.clone(), meter.clone())),
        };
        let commands = Commands::new(route(), meter.clone(), db);
        let durable = match address.wait_replicas {
            0 => commands.clone(),
            // Waiting holds up whatever comes after on the same connection.
            replicas => Commands::new(route(), meter.clone(), db).waiting_for(replicas),
        };
        let (lines, publish_command) = match (commands.route(), locator) {
            (Route::Cluster(cluster), _) => (Lines::Cluster(cluster.clone()), "SPUBLISH"),
            (Route::One(_), Some(locator)) => (Lines::One(locator), "PUBLISH"),
            (Route::One(_), None) => return Err(Error::Address("no server".to_owned())),
        };
        let (sender, health) = watch::channel(Err(Error::Unreachable));
        tokio::spawn(health::watch(
            commands.route().clone(),
            address.wait_replicas,
            sender,
        ));
        let (seen, ready) = (Arc::downgrade(&meter), health.clone());
        measures::observe(metrics, move || {
            let usage = seen.upgrade()?.usage();
            Some(RedisUse {
                connections: usage.connections,
                reconnects: usage.reconnects,
                in_flight: usage.in_flight,
                ready: ready.borrow().is_ok(),
            })
        });
        Ok(Self {
            commands,
            durable,
            hub: Arc::new(Hub::start(lines, meter.clone())),
            health,
            meter,
            publish_command,
        })
    }

    pub fn commands(&self) -> Commands {
        self.commands.clone()
    }

    /// For what must outlive the master: a command succeeds only once `REDIS_WAIT_REPLICAS` replicas have it. If they are
    /// too slow the command fails, though the master has carried it out.
    pub fn durable(&self) -> Commands {
        self.durable.clone()
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
        Ok(redis::cmd(self.publish_command)
            .arg(channel)
            .arg(payload)
            .query_async(&mut commands)
            .await?)
    }

    /// How a script publishes: on a cluster, to the shard that owns the channel.
    pub fn publish_command(&self) -> &'static str {
        self.publish_command
    }

    /// Whether Redis can do its work, and if not, why; looked at every second.
    pub fn health(&self) -> watch::Receiver<Result<(), Error>> {
        self.health.clone()
    }

    pub fn usage(&self) -> Usage {
        self.meter.usage()
    }
}
