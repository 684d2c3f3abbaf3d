//! `everything-session`: the session service as a process of its own, over Redis.

use std::process::ExitCode;

use clap::Parser;
use everything_session::{
    Service,
    config::{Cli, Command},
};
use redis_store::Redis;

/// `EX_USAGE` of sysexits.h.
const BAD_SETTINGS: u8 = 64;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    if let Some(Command::Healthcheck) = cli.command {
        cli.listen.healthcheck(&cli.listen_addr).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let telemetry = telemetry::init("everything-session", &cli.telemetry)?;
    let address = match cli.redis.address() {
        Ok(Some(address)) => address,
        Ok(None) => {
            tracing::error!(
                "bad settings: replicas share sessions through redis; set REDIS_URL or REDIS_HOST"
            );
            return Ok(ExitCode::from(BAD_SETTINGS));
        }
        Err(error) => {
            tracing::error!(%error, "bad settings");
            return Ok(ExitCode::from(BAD_SETTINGS));
        }
    };
    let shutdown = serving::shutdown_signal()?;
    let service = Service::build_redis(
        cli.config,
        &Redis::connect_measured(&address, &telemetry.metrics())?,
    )
    .with_metrics(telemetry.metrics());
    let listener = match cli.listen.listen(&cli.listen_addr).await {
        Err(error) if error.is_bad_settings() => {
            tracing::error!(%error, "bad settings");
            return Ok(ExitCode::from(BAD_SETTINGS));
        }
        listener => listener?,
    };
    tracing::info!(address = %cli.listen_addr, "serving sessions");
    service.serve(listener, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}
