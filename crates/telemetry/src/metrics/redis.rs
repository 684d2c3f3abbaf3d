//! The client of Redis (docs/db/database-metrics.md, docs/db/redis.md).

use std::time::{Duration, Instant};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, UpDownCounter},
};

use super::{Metrics, names};
use crate::conventions::{
    db::{DB_SYSTEM_NAME, REDIS},
    general::ERROR_TYPE,
};

/// What is measured of Redis.
#[derive(Clone, Debug)]
pub struct RedisMetrics {
    enabled: bool,
    duration: Histogram<f64>,
    in_flight: UpDownCounter<i64>,
    connected: opentelemetry::metrics::Gauge<u64>,
    outages: Counter<u64>,
}

/// A command that awaits its answer.
#[derive(Debug)]
pub struct Command<'a> {
    metrics: &'a RedisMetrics,
    operation: &'a str,
    started: Instant,
}

impl RedisMetrics {
    pub fn new(metrics: &Metrics) -> Self {
        let meter = metrics.meter();
        let (in_flight, connected, outages) = (names::DB_IN_FLIGHT, names::DB_CONNECTED, names::DB_OUTAGES);
        Self {
            enabled: metrics.is_enabled(),
            duration: metrics.seconds(names::DB_DURATION, names::DB_BUCKETS),
            in_flight: meter
                .i64_up_down_counter(in_flight.name)
                .with_unit(in_flight.unit)
                .with_description(in_flight.description)
                .build(),
            connected: meter
                .u64_gauge(connected.name)
                .with_unit(connected.unit)
                .with_description(connected.description)
                .build(),
            outages: meter
                .u64_counter(outages.name)
                .with_unit(outages.unit)
                .with_description(outages.description)
                .build(),
        }
    }

    /// `operation` is the command's name, upper case; of a batch, `BATCH` or `MULTI`. Only names that the program itself
    /// writes may be given.
    pub fn command<'a>(&'a self, operation: &'a str) -> Command<'a> {
        if self.enabled {
            self.in_flight.add(1, &[]);
        }
        Command {
            metrics: self,
            operation,
            started: Instant::now(),
        }
    }

    /// Whether Redis answers. Call it when that changes.
    pub fn connected(&self, connected: bool) {
        self.connected.record(u64::from(connected), &[]);
        if !connected {
            self.outages.add(1, &[]);
        }
    }
}

impl Command<'_> {
    /// `error` is a word for the kind of failure.
    pub fn ended(self, error: Option<&'static str>) {
        if !self.metrics.enabled {
            return;
        }
        let mut attributes = Vec::with_capacity(3);
        attributes.push(KeyValue::new(DB_SYSTEM_NAME, REDIS));
        attributes.push(KeyValue::new("db.operation.name", self.operation.to_owned()));
        if let Some(error) = error {
            attributes.push(KeyValue::new(ERROR_TYPE, error));
        }
        let elapsed: Duration = self.started.elapsed();
        self.metrics.duration.record(elapsed.as_secs_f64(), &attributes);
    }
}

impl Drop for Command<'_> {
    fn drop(&mut self) {
        if self.metrics.enabled {
            self.metrics.in_flight.add(-1, &[]);
        }
    }
}
