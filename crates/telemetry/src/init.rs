//! From settings to telemetry of a process.

use std::{sync::Arc, thread, time::Duration};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    LogFormat, Metrics, TelemetryArgs,
    admin::Admin,
    logs,
    metrics::process,
    otlp::{self, Plan, Signal},
    spans,
};

/// How long the end of a process waits for the last spans and metrics to be taken.
const FLUSH: Duration = Duration::from_secs(3);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("RUST_LOG is not a list of filter directives: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("OTEL_EXPORTER_OTLP_*: the exporter of {signal} cannot be set up: {reason}")]
    Exporter { signal: &'static str, reason: String },
    #[error("OTEL_EXPORTER_OTLP_CERTIFICATE: {path} holds no certificate that can be used: {reason}")]
    Certificate { path: String, reason: String },
    #[error(
        "ADMIN_ADDR: {0} is not loopback, and the admin listener asks nobody who they are; to let others reach it all the \
         same, set ADMIN_ALLOW_REMOTE=true"
    )]
    AdminNotLoopback(std::net::SocketAddr),
    #[error("ADMIN_ADDR: cannot listen on {address}: {source}")]
    AdminListen {
        address: std::net::SocketAddr,
        source: std::io::Error,
    },
    #[error("metrics cannot be shown as Prometheus text: {0}")]
    Prometheus(#[from] opentelemetry_sdk::error::OTelSdkError),
    #[error("logging was already set up in this process")]
    AlreadySet(#[from] tracing_subscriber::util::TryInitError),
}

/// Keeps telemetry going. Dropped last in `main`, it flushes the tail of spans and metrics within a deadline.
#[must_use = "telemetry ends when the guard is dropped"]
pub struct Guard {
    traces: Option<SdkTracerProvider>,
    meters: Option<SdkMeterProvider>,
    metrics: Metrics,
    _admin: Option<Admin>,
}

impl Guard {
    /// To build everything with.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Side by side, so that a receiver that hangs is waited for once.
        let traces = self
            .traces
            .take()
            .map(|traces| thread::spawn(move || traces.shutdown_with_timeout(FLUSH)));
        let meters = self
            .meters
            .take()
            .map(|meters| meters.shutdown_with_timeout(FLUSH));
        let traces = traces.and_then(|flushing| flushing.join().ok());
        for (signal, outcome) in [("spans", traces), ("metrics", meters)] {
            if let Some(Err(error)) = outcome {
                tracing::warn!(signal, %error, "the last ones could not be exported");
            }
        }
    }
}

/// Sets up logs, and metrics and spans where somebody takes them. Must be called within a Tokio runtime.
pub fn init(service_name: &'static str, args: &TelemetryArgs) -> Result<Guard, Error> {
    let plan = Plan::of(&args.otel);
    let resource = otlp::resource(service_name);
    let traces = match plan.destination(Signal::Traces) {
        Some(to) => {
            let exporter = otlp::span_exporter(to)?;
            Some(
                SdkTracerProvider::builder()
                    .with_resource(resource.clone())
                    .with_batch_exporter(exporter)
                    .build(),
            )
        }
        // Nobody takes them, but logs name the trace that a request belongs to.
        None if args.log_format == LogFormat::Json && !plan.disabled => Some(
            SdkTracerProvider::builder()
                .with_resource(resource.clone())
                .with_span_processor(otlp::Forget)
                .build(),
        ),
        None => None,
    };
    let metric_exporter = plan
        .destination(Signal::Metrics)
        .map(otlp::metric_exporter)
        .transpose()?;
    let shown = args.admin_addr.filter(|_| !plan.disabled);
    let registry = prometheus::Registry::new();
    let meters = (metric_exporter.is_some() || shown.is_some())
        .then(|| {
            let mut builder = SdkMeterProvider::builder().with_resource(resource);
            if let Some(exporter) = metric_exporter {
                builder = builder.with_periodic_exporter(exporter);
            }
            if shown.is_some() {
                let reader = opentelemetry_prometheus::exporter()
                    .with_registry(registry.clone())
                    .scope_info_enabled(false)
                    .build()?;
                builder = builder.with_reader(reader);
            }
            Ok::<_, Error>(builder.build())
        })
        .transpose()?;
    let metrics = meters.as_ref().map(Metrics::of).unwrap_or_default();
    process::observe(&metrics);

    let (logs, levels) = logs::layer(args.log_format, &args.log_filter)?;
    let exported = traces.as_ref().map(|provider| {
        spans::layer(provider.tracer(service_name))
            // The exporter's own gRPC traffic must not be traced: it would feed itself.
            .with_filter(EnvFilter::new(
                "info,h2=off,hyper=off,tonic=off,tower=off,opentelemetry=off",
            ))
    });
    let admin = args
        .admin_addr
        .map(|address| Admin::bind(address, args.admin_allow_remote))
        .transpose()?;
    tracing_subscriber::registry()
        .with(logs)
        .with(exported)
        .try_init()?;
    for problem in plan.problems {
        tracing::warn!("{problem}");
    }
    let admin = admin.map(|admin| admin.serve(registry, Arc::new(levels)));
    Ok(Guard {
        traces,
        meters,
        metrics,
        _admin: admin,
    })
}
