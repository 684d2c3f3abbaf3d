//! The authorization server as a process of its own.

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use everything_auth::{Config, Dependencies, Error, Service};
use redis_store::{Redis, RedisArgs};
use serving::{GrpcLimits, ListenAddr, ListenArgs};
use telemetry::TelemetryArgs;
use url::Url;

/// `EX_USAGE` of sysexits.h.
const BAD_SETTINGS: u8 = 64;

/// OAuth 2.1 authorization server for MCP, behind gRPC.
#[derive(Parser)]
#[command(name = "everything-auth", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where this service listens: host:port or unix:/path.
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:50051", global = true)]
    listen_addr: ListenAddr,
    #[command(flatten)]
    listen: ListenArgs,
    /// Where users and clients reach the edge: the issuer identifier, and the origin of all pages.
    #[arg(long, env = "BASE_URI", default_value = "http://localhost:3232")]
    base_uri: Url,
    /// Who issues tokens: `internal` (this service) or `external` (AUTH_ISSUER).
    #[arg(long, env = "AUTH_MODE", value_enum, default_value_t)]
    auth_mode: AuthMode,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    redis: RedisArgs,
    #[command(flatten)]
    limits: GrpcLimits,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum AuthMode {
    #[default]
    Internal,
    External,
}

#[derive(Subcommand)]
enum Command {
    /// Asks the service that listens at LISTEN_ADDR whether it is ready; exits with 0 if it is.
    Healthcheck,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    if let Some(Command::Healthcheck) = cli.command {
        cli.listen.healthcheck(&cli.listen_addr).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let telemetry = telemetry::init("everything-auth", &cli.telemetry)?;
    let shutdown = serving::shutdown_signal()?;
    let dependencies = match cli.redis.address()? {
        Some(address) => Dependencies::redis(&Redis::connect_measured(&address, &telemetry.metrics())?),
        None => {
            tracing::warn!("no redis is configured: logins live in this process only and end with it");
            Dependencies::memory()
        }
    };
    let external = cli.auth_mode == AuthMode::External;
    if external != cli.config.external.auth_issuer.is_some() {
        tracing::error!("bad settings: AUTH_MODE=external and AUTH_ISSUER go together");
        return Ok(ExitCode::from(BAD_SETTINGS));
    }
    let service = match Service::build(
        &cli.base_uri,
        &cli.config,
        dependencies.with_metrics(telemetry.metrics()),
    ) {
        Err(Error::Settings(problems)) => {
            tracing::error!(problems, "bad settings");
            return Ok(ExitCode::from(BAD_SETTINGS));
        }
        service => service?,
    };
    let listener = match cli.listen.listen(&cli.listen_addr).await {
        Err(error) if error.is_bad_settings() => {
            tracing::error!(%error, "bad settings");
            return Ok(ExitCode::from(BAD_SETTINGS));
        }
        listener => listener?,
    };
    tracing::info!(address = %cli.listen_addr, issuer = %cli.base_uri, "serving");
    service.serve(listener, cli.limits, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}
