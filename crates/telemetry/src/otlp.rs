//! Where spans and metrics go: what the standard variables say, and exporters that report trouble once.

mod http;
mod reporting;
mod tls;

use std::{path::PathBuf, time::Duration};

use opentelemetry::{Context, Key, KeyValue};
use opentelemetry_otlp::{
    MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};

use crate::{Error, OtelArgs};
use http::{Failure, OtlpHttp};
use reporting::Reporting;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Traces,
    Metrics,
}

/// What the settings amount to.
#[derive(Debug)]
pub struct Plan {
    pub disabled: bool,
    traces: Option<Destination>,
    metrics: Option<Destination>,
    /// Settings that cannot be used and are ignored.
    pub problems: Vec<String>,
}

/// Where a signal goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    signal: Signal,
    protocol: Protocol,
    endpoint: String,
    certificate: Option<PathBuf>,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Metrics => "metrics",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
        }
    }

    fn variable(self, name: &str) -> String {
        match self {
            Self::Traces => format!("OTEL_EXPORTER_OTLP_TRACES_{name}"),
            Self::Metrics => format!("OTEL_EXPORTER_OTLP_METRICS_{name}"),
        }
    }
}

impl Plan {
    pub fn of(args: &OtelArgs) -> Self {
        let mut problems = Vec::new();
        let disabled = match args.otel_sdk_disabled.to_ascii_lowercase().as_str() {
            "true" => true,
            "" | "false" => false,
            _ => {
                problems.push("OTEL_SDK_DISABLED is neither true nor false, and is ignored".to_owned());
                false
            }
        };
        for propagator in list(&args.propagators) {
            match propagator {
                "tracecontext" => {}
                // It may be asked for together with the other, as by default; there is none here.
                "baggage" => {}
                other => problems.push(format!(
                    "OTEL_PROPAGATORS: {other:?} is not supported and is ignored; trace context is what is propagated"
                )),
            }
        }
        let sampler = args.traces_sampler.trim();
        let root = sampler.strip_prefix("parentbased_").unwrap_or(sampler);
        if !matches!(root, "" | "always_on" | "always_off" | "traceidratio") {
            problems.push(format!(
                "OTEL_TRACES_SAMPLER: {sampler:?} is not supported; parentbased_always_on takes its place"
            ));
        }
        let traces = destination(args, Signal::Traces, &mut problems).filter(|_| !disabled);
        let metrics = destination(args, Signal::Metrics, &mut problems).filter(|_| !disabled);
        Self {
            disabled,
            traces,
            metrics,
            problems,
        }
    }

    pub fn destination(&self, signal: Signal) -> Option<&Destination> {
        match signal {
            Signal::Traces => self.traces.as_ref(),
            Signal::Metrics => self.metrics.as_ref(),
        }
    }
}

fn destination(args: &OtelArgs, signal: Signal, problems: &mut Vec<String>) -> Option<Destination> {
    let (exporter, exporter_variable, endpoint, protocol, certificate) = match signal {
        Signal::Traces => (
            &args.traces_exporter,
            "OTEL_TRACES_EXPORTER",
            &args.otlp_traces_endpoint,
            &args.otlp_traces_protocol,
            &args.otlp_traces_certificate,
        ),
        Signal::Metrics => (
            &args.metrics_exporter,
            "OTEL_METRICS_EXPORTER",
            &args.otlp_metrics_endpoint,
            &args.otlp_metrics_protocol,
            &args.otlp_metrics_certificate,
        ),
    };
    let mut asked = false;
    for name in list(exporter) {
        match name {
            "otlp" => asked = true,
            "none" => return None,
            "prometheus" if signal == Signal::Metrics => problems.push(
                "OTEL_METRICS_EXPORTER: prometheus text is served where ADMIN_ADDR says; here it is ignored"
                    .to_owned(),
            ),
            other => problems.push(format!(
                "{exporter_variable}: {other:?} is not supported and is ignored"
            )),
        }
    }
    let protocol_variable = signal.variable("PROTOCOL");
    let protocol = match (protocol.trim(), args.otlp_protocol.trim()) {
        ("", "") => Protocol::Grpc,
        ("", general) => parse_protocol("OTEL_EXPORTER_OTLP_PROTOCOL", general, problems),
        (own, _) => parse_protocol(&protocol_variable, own, problems),
    };
    let endpoint = match (endpoint.trim(), args.otlp_endpoint.trim(), protocol) {
        ("", "", _) if !asked => return None,
        ("", "", Protocol::Grpc) => "http://localhost:4317".to_owned(),
        ("", "", _) => format!("http://localhost:4318{}", signal.path()),
        ("", general, Protocol::Grpc) => general.to_owned(),
        // Over HTTP the general endpoint is a base, and the signal's own is taken as it is.
        ("", general, _) => format!("{}{}", general.trim_end_matches('/'), signal.path()),
        (own, ..) => own.to_owned(),
    };
    Some(Destination {
        signal,
        protocol,
        endpoint: with_scheme(endpoint),
        certificate: certificate.clone().or_else(|| args.otlp_certificate.clone()),
    })
}

fn parse_protocol(variable: &str, text: &str, problems: &mut Vec<String>) -> Protocol {
    match text {
        "grpc" => Protocol::Grpc,
        "http/protobuf" => Protocol::HttpBinary,
        other => {
            problems.push(format!(
                "{variable}: {other:?} is not supported (grpc and http/protobuf are); grpc takes its place"
            ));
            Protocol::Grpc
        }
    }
}

/// gRPC endpoints are often written without one.
fn with_scheme(endpoint: String) -> String {
    if endpoint.contains("://") {
        endpoint
    } else {
        format!("http://{endpoint}")
    }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

pub fn span_exporter(to: &Destination) -> Result<Reporting<SpanExporter>, Error> {
    let failure = Failure::default();
    let built = match to.protocol {
        Protocol::Grpc => over_grpc(SpanExporter::builder().with_tonic(), to)?.build(),
        _ => over_http(SpanExporter::builder().with_http(), to, &failure)?.build(),
    };
    Reporting::watch(built, to, failure)
}

pub fn metric_exporter(to: &Destination) -> Result<Reporting<MetricExporter>, Error> {
    let failure = Failure::default();
    let built = match to.protocol {
        Protocol::Grpc => over_grpc(MetricExporter::builder().with_tonic(), to)?.build(),
        _ => over_http(MetricExporter::builder().with_http(), to, &failure)?.build(),
    };
    Reporting::watch(built, to, failure)
}

fn over_grpc<B>(builder: B, to: &Destination) -> Result<B, Error>
where
    B: WithExportConfig + WithTonicConfig,
{
    let builder = builder.with_endpoint(&to.endpoint);
    Ok(match tls::for_grpc(to)? {
        Some(tls) => builder.with_tls_config(tls),
        None => builder,
    })
}

fn over_http<B>(builder: B, to: &Destination, failure: &Failure) -> Result<B, Error>
where
    B: WithExportConfig + WithHttpConfig,
{
    Ok(builder
        .with_protocol(to.protocol)
        .with_endpoint(&to.endpoint)
        .with_http_client(OtlpHttp::new(tls::for_http(to)?, failure.clone())))
}

/// What the process is: what `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say, and where they say nothing, the
/// program's name and version and an instance of its own.
pub fn resource(service_name: &'static str) -> Resource {
    let detected = Resource::builder().build();
    let said = |name: &'static str| detected.get(&Key::from_static_str(name));
    let mut ours = Vec::new();
    if said("service.name").is_none_or(|name| name.as_str().starts_with("unknown_service")) {
        ours.push(KeyValue::new("service.name", service_name));
    }
    if said("service.version").is_none() {
        ours.push(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    }
    if said("service.instance.id").is_none() {
        ours.push(KeyValue::new(
            "service.instance.id",
            uuid::Uuid::new_v4().to_string(),
        ));
    }
    Resource::builder().with_attributes(ours).build()
}

/// Takes spans and does nothing with them.
#[derive(Debug)]
pub struct Forget;

impl SpanProcessor for Forget {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, _: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
