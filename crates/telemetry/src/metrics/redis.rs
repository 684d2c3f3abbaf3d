//! The client of Redis (docs/db/database-metrics.md, docs/db/redis.md).

use std::time::Duration;

use opentelemetry::{KeyValue, metrics::Histogram};

use super::{
    Metrics,
    names::{self, Name},
};
use crate::conventions::{
    db::{DB_OPERATION_NAME, DB_STORED_PROCEDURE_NAME, DB_SYSTEM_NAME, REDIS},
    general::ERROR_TYPE,
};

/// What is measured of commands.
#[derive(Clone, Debug)]
pub struct RedisMetrics {
    enabled: bool,
    duration: Histogram<f64>,
}

/// How Redis is used at a moment.
#[derive(Clone, Copy, Debug)]
pub struct RedisUse {
    pub connections: u64,
    /// Since the start.
    pub reconnects: u64,
    pub in_flight: u64,
    /// Whether Redis can do its work.
    pub ready: bool,
}

impl RedisMetrics {
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            enabled: metrics.is_enabled(),
            duration: metrics.seconds(names::DB_DURATION, names::DB_BUCKETS),
        }
    }

    /// A command or batch of the program's own, and the code of its failure. `script` is the name of one of its scripts.
    pub fn answered(
        &self,
        operation: &str,
        script: Option<&'static str>,
        elapsed: Duration,
        error: Option<&str>,
    ) {
        if !self.enabled {
            return;
        }
        let mut attributes = Vec::with_capacity(4);
        attributes.push(KeyValue::new(DB_SYSTEM_NAME, REDIS));
        attributes.push(KeyValue::new(DB_OPERATION_NAME, operation.to_owned()));
        if let Some(script) = script {
            attributes.push(KeyValue::new(DB_STORED_PROCEDURE_NAME, script));
        }
        if let Some(error) = error {
            attributes.push(KeyValue::new(ERROR_TYPE, error.to_owned()));
        }
        self.duration.record(elapsed.as_secs_f64(), &attributes);
    }
}

impl Default for RedisMetrics {
    fn default() -> Self {
        Self::new(&Metrics::none())
    }
}

/// Shows how Redis is used whenever somebody looks; none once it is gone.
pub fn observe(metrics: &Metrics, usage: impl Fn() -> Option<RedisUse> + Clone + Send + Sync + 'static) {
    if !metrics.is_enabled() {
        return;
    }
    let gauge = |name: Name, read: fn(RedisUse) -> u64| {
        let usage = usage.clone();
        metrics
            .meter()
            .u64_observable_gauge(name.name)
            .with_unit(name.unit)
            .with_description(name.description)
            .with_callback(move |observer| {
                if let Some(usage) = usage() {
                    observer.observe(read(usage), &[]);
                }
            })
            .build();
    };
    gauge(names::REDIS_CONNECTIONS, |usage| usage.connections);
    gauge(names::REDIS_IN_FLIGHT, |usage| usage.in_flight);
    gauge(names::REDIS_READY, |usage| u64::from(usage.ready));
    let reconnects = names::REDIS_RECONNECTS;
    metrics
        .meter()
        .u64_observable_counter(reconnects.name)
        .with_unit(reconnects.unit)
        .with_description(reconnects.description)
        .with_callback(move |observer| {
            if let Some(usage) = usage() {
                observer.observe(usage.reconnects, &[]);
            }
        })
        .build();
}
