//! The feature service as a process of its own.

use std::process::ExitCode;

use change_feed::MemoryFeed;
use clap::{Parser, Subcommand};
use everything_feature::{Config, Dependencies, Service};
use redis_store::{Redis, RedisArgs};
use serving::{GrpcLimits, ListenAddr, ListenArgs};
use telemetry::TelemetryArgs;

/// `EX_USAGE` of sysexits.h.
const BAD_SETTINGS: u8 = 64;

/// The feature service of the everything server: tools, resources, prompts and completions, over gRPC.
#[derive(Parser)]
#[command(name = "everything-feature", version)]
struct Command {
    /// Where the service listens: host:port or unix:/path.
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:50053", global = true)]
    listen_addr: ListenAddr,
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    grpc: GrpcLimits,
    #[command(flatten)]
    redis: RedisArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Asks the service at LISTEN_ADDR whether it serves.
    Healthcheck,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let command = Command::parse();
    if let Some(Action::Healthcheck) = command.action {
        command.listen.healthcheck(&command.listen_addr).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let telemetry = telemetry::init("everything-feature", &command.telemetry)?;
    let shutdown = serving::shutdown_signal()?;
    let dependencies = match command.redis.address() {
        Ok(Some(address)) => Dependencies::redis(
            &command.config,
            &Redis::connect_measured(&address, &telemetry.metrics())?,
        ),
        Ok(None) => {
            tracing::warn!(
                "no redis is configured: periodic changes and list changes reach no session service"
            );
            Dependencies::memory(&command.config, MemoryFeed::new())
        }
        Err(error) => {
            tracing::error!(%error, "bad settings");
            return Ok(ExitCode::from(BAD_SETTINGS));
        }
    };
    let service = Service::build(
        command.config,
        command.grpc,
        dependencies.with_metrics(telemetry.metrics()),
    )?;
    let listener = match command.listen.listen(&command.listen_addr).await {
        Err(error) if error.is_bad_settings() => {
            tracing::error!(%error, "bad settings");
            return Ok(ExitCode::from(BAD_SETTINGS));
        }
        listener => listener?,
    };
    tracing::info!(address = %command.listen_addr, "serving features");
    service.serve(listener, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}
