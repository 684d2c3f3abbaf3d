//! `everything`: all services in one process.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use everything::{Config, Everything, banner};
use everything_edge::{Probe, config::EXIT_USAGE, healthcheck};
use redis_store::{Redis, RedisArgs};
use telemetry::TelemetryArgs;

/// The Everything Server: every feature of MCP, in one process.
#[derive(Parser)]
#[command(name = "everything", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    redis: RedisArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Asks the server that runs with the same settings whether it is alive. For containers.
    Healthcheck,
}

#[tokio::main]
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the face of the program in a terminal"
)]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let (settings, redis) = match (cli.config.check(), cli.redis.address()) {
        (Ok(settings), Ok(redis)) => (settings, redis),
        (settings, redis) => {
            settings.err().iter().for_each(|bad| eprintln!("{bad}"));
            redis.err().iter().for_each(|bad| eprintln!("{bad}"));
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    if let Some(Command::Healthcheck) = cli.command {
        return healthcheck(&settings, Probe::Alive)
            .await
            .map(|()| ExitCode::SUCCESS)
            .context("the server is not alive");
    }
    let telemetry = telemetry::init("everything", &cli.telemetry)?;
    let shutdown = serving::shutdown_signal()?;
    let address = settings.listen_address();
    let listener = tokio::net::TcpListener::bind(&address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    println!("{}", banner(&settings, &cli.config.replacements, redis.as_ref()));
    let redis = redis
        .as_ref()
        .map(|address| Redis::connect_measured(address, &telemetry.metrics()))
        .transpose()?;
    Everything::start(
        cli.config,
        settings,
        redis.as_ref(),
        &telemetry.metrics(),
        shutdown,
    )?
    .serve(listener)
    .await?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn settings_of_all_services_fit_into_one_command() {
        Cli::command().debug_assert();
    }
}
