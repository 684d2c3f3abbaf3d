//! The edge as a process of its own.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Parser, Subcommand};
use everything_edge::{
    Edge, EdgeConfig, Probe, UpstreamArgs, Upstreams,
    config::{BadSettings, EXIT_USAGE, generate_key},
    healthcheck,
};
use serving::{CancellationToken, Upstream, UpstreamSettings};
use telemetry::TelemetryArgs;

/// The HTTP face of the Everything Server: MCP, OAuth and pages.
#[derive(Parser)]
#[command(name = "everything-edge", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    edge: EdgeConfig,
    #[command(flatten)]
    upstreams: UpstreamArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Asks the edge that runs with the same settings whether it is alive. For containers.
    Healthcheck {
        /// Whether it is ready, too: whether the services that it needs answer.
        #[arg(long)]
        ready: bool,
    },
    /// Writes a random secret for REQUEST_STATE_KEYS_FILE, unless the file is there already.
    GenerateKey { file: PathBuf },
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    if let Some(Command::GenerateKey { file }) = &cli.command {
        generate_key(file).with_context(|| format!("cannot write {}", file.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (settings, replicas) = match (cli.edge.check(), cli.upstreams.check()) {
        (Ok(settings), Ok(replicas)) => (settings, replicas),
        (settings, replicas) => return Ok(refuse(settings.err(), replicas.err())),
    };
    if let Some(Command::Healthcheck { ready }) = cli.command {
        let probe = if ready { Probe::Ready } else { Probe::Alive };
        return healthcheck(&settings, probe)
            .await
            .map(|()| ExitCode::SUCCESS)
            .with_context(|| format!("the edge is not {probe}"));
    }
    let telemetry = telemetry::init("everything-edge", &cli.telemetry)?;
    let shutdown = serving::shutdown_signal()?;
    let address = settings.listen_address();
    let listener = tokio::net::TcpListener::bind(&address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    let settings = settings.listening_on(listener.local_addr()?.port());
    let tls = cli.upstreams.tls.client()?;
    // The services are needed until the last request has ended.
    let drained = CancellationToken::new();
    let _drained = drained.clone().drop_guard();
    let connect = |service, replicas| {
        let settings = UpstreamSettings {
            tls: tls.clone(),
            metrics: telemetry.metrics(),
            ..UpstreamSettings::default()
        };
        Upstream::connect(service, replicas, settings, drained.clone())
    };
    let upstreams = Upstreams {
        auth: settings
            .auth
            .needs_auth_service()
            .then(|| connect("everything.auth.v1.AuthService", replicas.auth)),
        session: connect("everything.session.v1.SessionService", replicas.session),
        feature: connect("everything.feature.v1.FeatureService", replicas.feature),
    };
    tracing::info!(address = %listener.local_addr()?, base_uri = settings.base.as_str(), "the edge listens");
    Edge::with_settings(settings, upstreams, &telemetry.metrics(), shutdown.clone())?
        .serve(listener, shutdown)
        .await?;
    Ok(ExitCode::SUCCESS)
}

#[expect(
    clippy::print_stderr,
    reason = "telemetry is not set up before the settings are known to be good"
)]
fn refuse(edge: Option<BadSettings>, upstreams: Option<BadSettings>) -> ExitCode {
    for bad in [edge, upstreams].into_iter().flatten() {
        eprintln!("{bad}");
    }
    ExitCode::from(EXIT_USAGE)
}
