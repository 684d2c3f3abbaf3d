//! `everything-conformance`: the conformance fixtures as a feature service of its own.

use clap::{Parser, Subcommand};
use everything_conformance::{Config, Service};
use telemetry::TelemetryArgs;

/// The fixtures of the official MCP conformance suite, served as a feature service.
#[derive(Parser)]
#[command(name = "everything-conformance", version)]
struct Cli {
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    telemetry: TelemetryArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Exits 0 if the service at LISTEN_ADDR is ready.
    Healthcheck,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Cli {
        config,
        telemetry,
        command,
    } = Cli::parse();
    if let Some(Command::Healthcheck) = command {
        return Ok(config.listen.healthcheck(&config.listen_addr).await?);
    }
    let _telemetry = telemetry::init("everything-conformance", &telemetry)?;
    let shutdown = serving::shutdown_signal()?;
    let service = Service::build(&config)?;
    let listener = config.listen.listen(&config.listen_addr).await?;
    tracing::info!(address = %config.listen_addr, "serving conformance fixtures");
    service.serve(listener, shutdown).await?;
    Ok(())
}
