//! What this server is busy with: streams, calls, bounded places and what they turn away.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, UpDownCounter},
};

use super::{
    Metrics,
    names::{self, Name},
};

/// How many of something there are now.
#[derive(Clone, Debug)]
pub struct Level {
    counter: UpDownCounter<i64>,
    attributes: [KeyValue; 1],
}

/// Counts as one until it is dropped.
#[derive(Debug)]
pub struct Counted(Level);

/// Counts what is turned away, by reason.
#[derive(Clone, Debug)]
pub struct Rejections(Counter<u64>);

impl Level {
    fn new(metrics: &Metrics, name: Name, key: &'static str, value: &'static str) -> Self {
        Self {
            counter: metrics
                .meter()
                .i64_up_down_counter(name.name)
                .with_unit(name.unit)
                .with_description(name.description)
                .build(),
            attributes: [KeyValue::new(key, value)],
        }
    }

    /// Streams of clients, by `kind`.
    pub fn streams(metrics: &Metrics, kind: &'static str) -> Self {
        Self::new(metrics, names::STREAMS_OPEN, "kind", kind)
    }

    pub fn count(&self) -> Counted {
        self.counter.add(1, &self.attributes);
        Counted(self.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.counter.add(-1, &self.0.attributes);
    }
}

impl Rejections {
    pub fn new(metrics: &Metrics) -> Self {
        let name = names::REJECTIONS;
        Self(
            metrics
                .meter()
                .u64_counter(name.name)
                .with_unit(name.unit)
                .with_description(name.description)
                .build(),
        )
    }

    /// `reason` is one of the words in docs/observability.md.
    pub fn count(&self, reason: &'static str) {
        self.0.add(1, &[KeyValue::new("reason", reason)]);
    }
}

/// Measures a bounded place: how much is in it (none once it is gone), and how much it takes.
pub fn queue(
    metrics: &Metrics,
    queue: &'static str,
    limit: u64,
    depth: impl Fn() -> Option<u64> + Send + Sync + 'static,
) {
    observed(metrics, names::QUEUE_DEPTH, queue, depth);
    observed(metrics, names::QUEUE_LIMIT, queue, move || Some(limit));
}

/// Sessions of this replica.
pub fn sessions_live(metrics: &Metrics, live: impl Fn() -> Option<u64> + Send + Sync + 'static) {
    let name = names::SESSIONS_LIVE;
    metrics
        .meter()
        .u64_observable_gauge(name.name)
        .with_unit(name.unit)
        .with_description(name.description)
        .with_callback(move |observer| {
            if let Some(live) = live() {
                observer.observe(live, &[]);
            }
        })
        .build();
}

fn observed(
    metrics: &Metrics,
    name: Name,
    queue: &'static str,
    read: impl Fn() -> Option<u64> + Send + Sync + 'static,
) {
    metrics
        .meter()
        .u64_observable_gauge(name.name)
        .with_unit(name.unit)
        .with_description(name.description)
        .with_callback(move |observer| {
            if let Some(value) = read() {
                observer.observe(value, &[KeyValue::new("queue", queue)]);
            }
        })
        .build();
}
