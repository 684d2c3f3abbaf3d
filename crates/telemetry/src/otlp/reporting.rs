//! Says once that exporting fails, and once that it works again; never per span.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    metrics::{Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
    trace::{SpanData, SpanExporter},
};

use super::{Destination, http::Failure};
use crate::Error;

/// An exporter that is watched.
#[derive(Debug)]
pub struct Reporting<E> {
    exporter: E,
    signal: &'static str,
    endpoint: String,
    /// Why it fails, where the exporter does not say it.
    failure: Failure,
    failing: AtomicBool,
}

impl<E> Reporting<E> {
    pub fn watch(
        built: Result<E, ExporterBuildError>,
        to: &Destination,
        failure: Failure,
    ) -> Result<Self, Error> {
        let signal = to.signal.name();
        match built {
            Ok(exporter) => Ok(Self {
                exporter,
                signal,
                endpoint: without_credentials(&to.endpoint),
                failure,
                failing: AtomicBool::new(false),
            }),
            Err(error) => Err(Error::Exporter {
                signal,
                reason: error.to_string(),
            }),
        }
    }

    fn note(&self, outcome: &OTelSdkResult) {
        let Self { signal, endpoint, .. } = self;
        let failing = outcome.is_err();
        let before = self.failing.swap(failing, Ordering::Relaxed);
        match outcome {
            Err(error) if !before => {
                let error = match self.failure.take() {
                    Some(reason) => format!("{error}: {reason}"),
                    None => error.to_string(),
                };
                tracing::warn!(
                    signal,
                    endpoint,
                    error,
                    "telemetry cannot be exported; what does not fit the queue is dropped until it can"
                );
            }
            Ok(()) if before => tracing::info!(signal, endpoint, "telemetry is exported again"),
            Ok(()) | Err(_) => {}
        }
    }
}

/// The endpoint without `user:password@`, for logs.
fn without_credentials(endpoint: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, rest)) => match rest.split_once('@') {
            Some((_, host)) => format!("{scheme}://{host}"),
            None => endpoint.to_owned(),
        },
        None => endpoint.to_owned(),
    }
}

impl<E: SpanExporter> SpanExporter for Reporting<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let outcome = self.exporter.export(batch).await;
        self.note(&outcome);
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Reporting<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let outcome = self.exporter.export(metrics).await;
        self.note(&outcome);
        outcome
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_logged_without_its_credentials() {
        assert_eq!(without_credentials("http://a:b@host:1/x"), "http://host:1/x");
        assert_eq!(without_credentials("http://host:1"), "http://host:1");
    }
}
