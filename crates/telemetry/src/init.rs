use std::time::Duration;

use clap::{Args, ValueEnum};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing_subscriber::{EnvFilter, Layer, Registry, layer::SubscriberExt, util::SubscriberInitExt};

use crate::spans;

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// One JSON object a line, for machines.
    Json,
}

/// Logging and tracing settings. The exporter itself follows the standard `OTEL_EXPORTER_OTLP_*` variables.
#[derive(Args, Clone, Debug)]
pub struct TelemetryArgs {
    /// Format of the logs on standard error.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Which logs are written: `tracing` filter directives, e.g. `info,everything_edge=debug`.
    #[arg(long = "log", env = "RUST_LOG", default_value = "info")]
    pub log_filter: String,
    /// Where spans go over OTLP/gRPC, e.g. `http://localhost:4317`. Unset: spans are not exported.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// Turns trace export off (OpenTelemetry specification, general SDK configuration).
    #[arg(long, env = "OTEL_SDK_DISABLED", default_value_t = false)]
    pub otel_sdk_disabled: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("RUST_LOG is not a list of filter directives: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    #[error("logging was already set up in this process")]
    AlreadySet(#[from] tracing_subscriber::util::TryInitError),
}

/// Keeps telemetry going. Dropped last in `main`, it flushes the tail of spans within a deadline.
#[must_use = "telemetry ends when the guard is dropped"]
pub struct Guard {
    provider: Option<SdkTracerProvider>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take()
            && let Err(error) = provider.shutdown_with_timeout(Duration::from_secs(3))
        {
            tracing::warn!(%error, "the last spans could not be exported");
        }
    }
}

/// Sets up logs and, where an endpoint is set, span export for this process.
pub fn init(service_name: &'static str, args: &TelemetryArgs) -> Result<Guard, Error> {
    let filter = EnvFilter::try_new(&args.log_filter)?;
    let logs: Box<dyn Layer<Registry> + Send + Sync> = match args.log_format {
        LogFormat::Pretty => tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_target(false)
            .with_filter(filter)
            .boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .json()
            .with_writer(std::io::stderr)
            .with_current_span(true)
            .with_span_list(false)
            .with_filter(filter)
            .boxed(),
    };
    let provider = match &args.otlp_endpoint {
        Some(endpoint) if !args.otel_sdk_disabled => Some(exporter(service_name, endpoint)?),
        _ => None,
    };
    let exported = provider.as_ref().map(|provider| {
        spans::layer(provider.tracer(service_name))
            // The exporter's own gRPC traffic must not be traced: it would feed itself.
            .with_filter(EnvFilter::new(
                "info,h2=off,hyper=off,tonic=off,tower=off,opentelemetry=off",
            ))
    });
    tracing_subscriber::registry()
        .with(logs)
        .with(exported)
        .try_init()?;
    Ok(Guard { provider })
}

fn exporter(service_name: &'static str, endpoint: &str) -> Result<SdkTracerProvider, Error> {
    use opentelemetry_otlp::WithExportConfig;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(Duration::from_secs(5))
        .build()?;
    Ok(SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name(service_name).build())
        .with_batch_exporter(exporter)
        .build())
}
