//! What the two files promise, without running them.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use system_tests::{
    compose::{ComposeFile, Condition, Dockerfile, Service},
    tools,
};
use telemetry::metrics::names;

/// Ours: built here, and named after their binaries.
const OURS: [&str; 4] = ["auth", "session", "feature", "edge"];
/// What may be reached from outside, and only on loopback.
const PUBLISHED: [&str; 5] = ["edge", "jaeger", "proxy", "prometheus", "grafana"];

fn compose() -> ComposeFile {
    ComposeFile::read(&HashMap::new()).unwrap()
}

#[test]
fn the_file_is_valid_by_the_compose_specification() {
    // github.com/compose-spec/compose-spec, schema/compose-spec.json of 2026-06-23.
    let schema: Value = serde_json::from_str(include_str!("compose-spec.schema.json")).unwrap();
    let file: Value = serde_saphyr::from_str(&ComposeFile::text().unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&file)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let mut broken = file;
    broken["services"]["edge"]["imagee"] = "x".into();
    assert!(
        !validator.is_valid(&broken),
        "the schema refuses what it does not know"
    );
}

#[test]
fn nothing_runs_with_more_rights_than_it_needs() {
    for (name, service) in compose().services {
        assert_eq!(service.cap_drop, ["ALL"], "{name}");
        assert_eq!(service.security_opt, ["no-new-privileges:true"], "{name}");
        let limits = service.deploy.expect("limits").resources.limits;
        assert!(
            limits.pids > 0 && !limits.cpus.is_empty() && !limits.memory.is_empty(),
            "{name}"
        );
        // Grafana writes beside its data when it starts.
        assert!(service.read_only || name == "grafana", "{name}");
        if service.image.starts_with("everything-") || name == "redis" {
            let user = service.user.expect("a user");
            assert!(
                !user.starts_with('0') && !user.starts_with("root"),
                "{name}: {user}"
            );
        }
    }
}

#[test]
fn images_have_versions() {
    let bases: Vec<String> = Dockerfile::read()
        .unwrap()
        .stages
        .into_values()
        .map(|stage| stage.base)
        .collect();
    let images = compose().services.into_values().map(|service| service.image);
    for image in bases.into_iter().chain(images) {
        let tag = image.rsplit_once(':').map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| tag != "latest"), "{image}");
    }
}

#[test]
fn only_the_edge_and_the_pages_of_tools_are_published_and_on_loopback() {
    let compose = compose();
    for (name, service) in &compose.services {
        assert_eq!(
            !service.ports.is_empty(),
            PUBLISHED.contains(&name.as_str()),
            "{name}"
        );
        for port in &service.ports {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
    assert!(compose.networks["internal"].clone().expect("settings").internal);
    // Only what is published, or fetches what others publish, has a way out.
    let outside: BTreeSet<&str> = compose
        .services
        .iter()
        .filter(|(_, service)| service.networks.iter().any(|network| network != "internal"))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(outside, PUBLISHED.into_iter().chain(["auth"]).collect());
}

#[test]
fn what_comes_up_is_healthy_and_in_order() {
    let compose = compose();
    for name in OURS {
        let service = &compose.services[name];
        let test = &service.healthcheck.as_ref().expect("a health check").test;
        assert_eq!(
            test[..2],
            ["CMD".to_owned(), format!("/usr/local/bin/everything-{name}")]
        );
        assert_eq!(test[2], "healthcheck");
        assert_eq!(service.restart.as_deref(), Some("unless-stopped"), "{name}");
        assert!(service.profiles.is_empty(), "{name}");
    }
    for name in ["auth", "session", "feature"] {
        assert_eq!(
            compose.services[name].depends_on["redis"].condition,
            Condition::ServiceHealthy
        );
        assert_eq!(
            compose.services["edge"].depends_on[name].condition,
            Condition::ServiceHealthy
        );
    }
    for profile in [&[][..], &["proxy"], &["metrics"], &["proxy", "metrics"]] {
        compose.start_order(profile).unwrap();
    }
    let append_only = compose.services["redis"]
        .command
        .windows(2)
        .any(|two| two == ["--appendonly", "yes"]);
    assert!(append_only, "what was acknowledged outlives redis");
}

/// Each image is one program, found where the compose file expects it, on the port it expects.
#[test]
fn images_and_services_agree() {
    let compose = compose();
    let dockerfile = Dockerfile::read().unwrap();
    for name in OURS {
        let service: &Service = &compose.services[name];
        let build = service.build.as_ref().expect("built here");
        assert_eq!((build.context.as_str(), build.target.as_str()), (".", name));
        let stage = &dockerfile.stages[name];
        let program = format!("/usr/local/bin/everything-{name}");
        assert_eq!(stage.entrypoint, std::slice::from_ref(&program));
        assert_eq!(stage.binaries.values().collect::<Vec<_>>(), [&program]);
        let listens = service
            .environment
            .get("LISTEN_ADDR")
            .or(service.environment.get("PORT"));
        let port = listens
            .unwrap()
            .rsplit(':')
            .next()
            .unwrap()
            .parse::<u16>()
            .unwrap();
        assert_eq!(stage.exposed, [port], "{name}");
    }
    let edge = &compose.services["edge"].environment;
    for name in ["auth", "session", "feature"] {
        let port = dockerfile.stages[name].exposed[0];
        assert_eq!(
            edge[&format!("{}_URL", name.to_uppercase())],
            format!("http://{name}:{port}")
        );
    }
    let published = compose.services["edge"].ports[0].clone();
    assert_eq!(
        published,
        format!("127.0.0.1:3232:{}", dockerfile.stages["edge"].exposed[0])
    );
    let key = compose.services["edge-key"].image.clone();
    assert_eq!(key, compose.services["edge"].image);
}

/// A dashboard that asks for what nobody measures shows empty graphs, and nobody notices.
#[test]
fn dashboards_ask_for_metrics_that_exist() {
    let path = tools::root().join("deploy/grafana/dashboards/everything.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let known: BTreeSet<String> = names::ALL.iter().flat_map(prometheus_names).collect();
    let prefixes = ["mcp_", "http_", "rpc_", "db_", "process_", "everything_"];
    let mut asked = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = without(
                without(target["expr"].as_str().unwrap().into(), "{", "}"),
                "by (",
                ")",
            );
            for word in query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                if prefixes.iter().any(|prefix| word.starts_with(prefix)) {
                    assert!(known.contains(word), "{}: {word}", panel["title"]);
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 15, "{asked}");
}

/// A query without its labels.
fn without(mut query: String, open: &str, close: &str) -> String {
    while let Some((before, (_, after))) = query
        .split_once(open)
        .and_then(|(before, rest)| Some((before, rest.split_once(close)?)))
    {
        query = format!("{before} {after}");
    }
    query
}

/// How Prometheus names a metric of OpenTelemetry: `_` for `.`, the unit, and what each kind of metric ends with.
fn prometheus_names(name: &names::Name) -> Vec<String> {
    let unit = match name.unit {
        "s" => "_seconds",
        "By" => "_bytes",
        _ => "",
    };
    let stem = format!("{}{unit}", name.name.replace('.', "_"));
    ["", "_total", "_count", "_sum", "_bucket"]
        .iter()
        .map(|end| format!("{stem}{end}"))
        .collect()
}
