//! Metrics, by what they measure. Names, units and buckets are in [`names`].
//!
//! Nothing is global: a process has one [`Metrics`], and hands it to what it builds. The default one measures nothing.

pub mod cache;
pub mod http;
pub mod mcp;
pub mod names;
pub mod process;
pub mod redis;
pub mod rpc;
pub mod server;

use std::fmt;

use opentelemetry::metrics::{Histogram, Meter, MeterProvider};
use opentelemetry_sdk::metrics::SdkMeterProvider;

use names::Name;

/// Where instruments come from. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    meter: Meter,
    enabled: bool,
}

impl Metrics {
    /// Measures nothing.
    pub fn none() -> Self {
        Self {
            meter: SdkMeterProvider::builder().build().meter("everything"),
            enabled: false,
        }
    }

    pub fn of(provider: &SdkMeterProvider) -> Self {
        Self {
            meter: provider.meter("everything"),
            enabled: true,
        }
    }

    /// Whether somebody takes what is measured. What costs time to measure asks first.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// For instruments of one place; those that several places share are in this module.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    fn seconds(&self, name: Name, buckets: &[f64]) -> Histogram<f64> {
        self.meter
            .f64_histogram(name.name)
            .with_unit(name.unit)
            .with_description(name.description)
            .with_boundaries(buckets.to_vec())
            .build()
    }

    fn bytes(&self, name: Name) -> Histogram<u64> {
        self.meter
            .u64_histogram(name.name)
            .with_unit(name.unit)
            .with_description(name.description)
            .with_boundaries(names::SIZE_BUCKETS.to_vec())
            .build()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::none()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}
