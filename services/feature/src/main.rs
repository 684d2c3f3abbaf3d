use std::process::ExitCode;

use change_feed::MemoryFeed;
use clap::{Parser, Subcommand};
use everything_feature::{Config, Dependencies, Service};
use redis_store::{Redis, RedisArgs};
use serving::{GrpcLimits, ListenAddr, Listener};
use telemetry::TelemetryArgs;

/// The feature service of the everything server: tools, resources, prompts and completions, over gRPC.
#[derive(Parser)]
#[command(version)]
struct Command {
    /// Where the service listens: host:port or unix:/path.
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:50053", global = true)]
    listen_addr: ListenAddr,
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
        serving::healthcheck(&command.listen_addr).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let _telemetry = telemetry::init("everything-feature", &command.telemetry)?;
    let shutdown = serving::shutdown_signal()?;
    let dependencies = match command.redis.address()? {
        Some(address) => Dependencies::redis(&command.config, &Redis::connect(&address)?),
        None => Dependencies::memory(&command.config, MemoryFeed::new()),
    };
    let service = Service::build(command.config, command.grpc, dependencies)?;
    let listener = Listener::bind(&command.listen_addr).await?;
    tracing::info!(address = %command.listen_addr, "serving features");
    service.serve(listener, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}
