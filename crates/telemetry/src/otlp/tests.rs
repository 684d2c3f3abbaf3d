use super::*;

/// What the settings amount to: per signal the protocol and the endpoint, and how many problems are told.
fn amounts_to(settings: &[(&str, &str)]) -> (String, String, usize) {
    let mut args = OtelArgs::default();
    for (name, value) in settings {
        let value = (*value).to_owned();
        match *name {
            "OTEL_SDK_DISABLED" => args.otel_sdk_disabled = value,
            "ENDPOINT" => args.otlp_endpoint = value,
            "TRACES_ENDPOINT" => args.otlp_traces_endpoint = value,
            "METRICS_ENDPOINT" => args.otlp_metrics_endpoint = value,
            "PROTOCOL" => args.otlp_protocol = value,
            "TRACES_PROTOCOL" => args.otlp_traces_protocol = value,
            "OTEL_TRACES_EXPORTER" => args.traces_exporter = value,
            "OTEL_METRICS_EXPORTER" => args.metrics_exporter = value,
            "OTEL_PROPAGATORS" => args.propagators = value,
            "OTEL_TRACES_SAMPLER" => args.traces_sampler = value,
            other => panic!("{other}"),
        }
    }
    let plan = Plan::of(&args);
    let show = |to: Option<&Destination>| match to {
        None => "nowhere".to_owned(),
        Some(to) if to.protocol == Protocol::Grpc => format!("grpc {}", to.endpoint),
        Some(to) => format!("http {}", to.endpoint),
    };
    let (traces, metrics) = (
        plan.destination(Signal::Traces),
        plan.destination(Signal::Metrics),
    );
    (show(traces), show(metrics), plan.problems.len())
}

#[test]
fn the_standard_variables_say_where_signals_go() {
    let nowhere = "nowhere";
    let a = ("ENDPOINT", "http://a:4317");
    for (settings, traces, metrics, problems) in [
        (&[][..], nowhere, nowhere, 0),
        (&[a], "grpc http://a:4317", "grpc http://a:4317", 0),
        (
            &[("ENDPOINT", "a:4317")],
            "grpc http://a:4317",
            "grpc http://a:4317",
            0,
        ),
        (&[a, ("OTEL_SDK_DISABLED", "TRUE")], nowhere, nowhere, 0),
        (
            &[a, ("OTEL_SDK_DISABLED", "maybe")],
            "grpc http://a:4317",
            "grpc http://a:4317",
            1,
        ),
        (
            &[a, ("OTEL_TRACES_EXPORTER", "none")],
            nowhere,
            "grpc http://a:4317",
            0,
        ),
        (
            &[a, ("OTEL_METRICS_EXPORTER", "none")],
            "grpc http://a:4317",
            nowhere,
            0,
        ),
        (
            &[a, ("OTEL_TRACES_EXPORTER", "zipkin")],
            "grpc http://a:4317",
            "grpc http://a:4317",
            1,
        ),
        (&[("OTEL_METRICS_EXPORTER", "prometheus")], nowhere, nowhere, 1),
        (
            &[("OTEL_TRACES_EXPORTER", "otlp")],
            "grpc http://localhost:4317",
            nowhere,
            0,
        ),
        (
            &[a, ("TRACES_ENDPOINT", "http://b:1")],
            "grpc http://b:1",
            "grpc http://a:4317",
            0,
        ),
        (
            &[("METRICS_ENDPOINT", "http://b:1")],
            nowhere,
            "grpc http://b:1",
            0,
        ),
        (
            &[("ENDPOINT", "http://a:4318/"), ("PROTOCOL", "http/protobuf")],
            "http http://a:4318/v1/traces",
            "http http://a:4318/v1/metrics",
            0,
        ),
        (
            &[
                ("TRACES_ENDPOINT", "http://b:1/mine"),
                ("TRACES_PROTOCOL", "http/protobuf"),
            ],
            "http http://b:1/mine",
            nowhere,
            0,
        ),
        (
            &[a, ("PROTOCOL", "http/json")],
            "grpc http://a:4317",
            "grpc http://a:4317",
            2,
        ),
        (
            &[("OTEL_PROPAGATORS", "tracecontext,baggage")],
            nowhere,
            nowhere,
            0,
        ),
        (&[("OTEL_PROPAGATORS", "b3,tracecontext")], nowhere, nowhere, 1),
        (
            &[("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")],
            nowhere,
            nowhere,
            0,
        ),
        (&[("OTEL_TRACES_SAMPLER", "xray")], nowhere, nowhere, 1),
    ] {
        let expected = (traces.to_owned(), metrics.to_owned(), problems);
        assert_eq!(amounts_to(settings), expected, "{settings:?}");
    }
}
