//! Caches: whether they know what they are asked, and how much they hold.

use opentelemetry::{KeyValue, metrics::Counter};

use super::{Metrics, names};

/// Counts what one cache is asked.
#[derive(Clone, Debug)]
pub struct CacheMetrics {
    requests: Counter<u64>,
    hit: [KeyValue; 2],
    miss: [KeyValue; 2],
}

impl CacheMetrics {
    /// `size` says how many entries there are; none once the cache is gone.
    pub fn new(
        metrics: &Metrics,
        cache: &'static str,
        size: impl Fn() -> Option<u64> + Send + Sync + 'static,
    ) -> Self {
        let meter = metrics.meter();
        let entries = names::CACHE_ENTRIES;
        meter
            .u64_observable_gauge(entries.name)
            .with_unit(entries.unit)
            .with_description(entries.description)
            .with_callback(move |observer| {
                if let Some(size) = size() {
                    observer.observe(size, &[KeyValue::new("cache", cache)]);
                }
            })
            .build();
        let requests = names::CACHE_REQUESTS;
        let outcome = |result: &'static str| [KeyValue::new("cache", cache), KeyValue::new("result", result)];
        Self {
            requests: meter
                .u64_counter(requests.name)
                .with_unit(requests.unit)
                .with_description(requests.description)
                .build(),
            hit: outcome("hit"),
            miss: outcome("miss"),
        }
    }

    pub fn asked(&self, known: bool) {
        self.requests.add(1, if known { &self.hit } else { &self.miss });
    }
}
