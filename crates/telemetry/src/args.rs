//! Settings of logs, the admin listener and OpenTelemetry.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// One JSON object a line, for machines.
    Json,
}

/// Logging, metrics and tracing settings.
#[derive(Args, Clone, Debug)]
pub struct TelemetryArgs {
    /// Format of the logs on standard error.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Which logs are written: `tracing` filter directives, e.g. `info,everything_edge=debug`. The admin listener
    /// changes them at run time.
    #[arg(long = "log", env = "RUST_LOG", default_value = "info")]
    pub log_filter: String,
    /// Where the admin listener serves metrics and log levels, `ip:port`. Unset: there is none.
    #[arg(long, env = "ADMIN_ADDR")]
    pub admin_addr: Option<SocketAddr>,
    /// Lets the admin listener be on another address than loopback. It asks nobody who they are.
    #[arg(long, env = "ADMIN_ALLOW_REMOTE", default_value_t = false)]
    pub admin_allow_remote: bool,
    #[command(flatten)]
    pub otel: OtelArgs,
}

/// The standard variables that this program reads itself; the SDK reads the others (samplers, span limits, `OTEL_BSP_*`,
/// `OTEL_METRIC_EXPORT_*`, resource attributes, and the exporters' headers, timeouts and compression). Empty means unset,
/// and a value that cannot be used is told at the start and ignored (OpenTelemetry specification, environment variables).
#[derive(Args, Clone, Debug, Default)]
#[group(skip)]
pub struct OtelArgs {
    /// `true` turns spans and metrics off.
    #[arg(long, env = "OTEL_SDK_DISABLED", default_value = "")]
    pub otel_sdk_disabled: String,
    /// Where spans and metrics go over OTLP, e.g. `http://localhost:4317`. Unset: they are not exported.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", default_value = "")]
    pub otlp_endpoint: String,
    /// The same for spans alone; over HTTP with the path.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", default_value = "")]
    pub otlp_traces_endpoint: String,
    /// The same for metrics alone; over HTTP with the path.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", default_value = "")]
    pub otlp_metrics_endpoint: String,
    /// `grpc` (default) or `http/protobuf`.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_PROTOCOL", default_value = "")]
    pub otlp_protocol: String,
    /// The same for spans alone.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", default_value = "")]
    pub otlp_traces_protocol: String,
    /// The same for metrics alone.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", default_value = "")]
    pub otlp_metrics_protocol: String,
    /// Certificates (PEM file) of the authorities that may have signed the receiver's, instead of the system's.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_CERTIFICATE")]
    pub otlp_certificate: Option<PathBuf>,
    /// The same for spans alone.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE")]
    pub otlp_traces_certificate: Option<PathBuf>,
    /// The same for metrics alone.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE")]
    pub otlp_metrics_certificate: Option<PathBuf>,
    /// `otlp` or `none`. Unset: `otlp` where an endpoint is set.
    #[arg(long, env = "OTEL_TRACES_EXPORTER", default_value = "")]
    pub traces_exporter: String,
    /// `otlp` or `none`. Unset: `otlp` where an endpoint is set. Prometheus text is a matter of ADMIN_ADDR.
    #[arg(long, env = "OTEL_METRICS_EXPORTER", default_value = "")]
    pub metrics_exporter: String,
    /// `tracecontext`, which is what there is.
    #[arg(long, env = "OTEL_PROPAGATORS", default_value = "")]
    pub propagators: String,
    /// Which traces are recorded: `always_on`, `always_off`, `traceidratio`, or one of these with `parentbased_`.
    #[arg(long, env = "OTEL_TRACES_SAMPLER", default_value = "")]
    pub traces_sampler: String,
}
