//! `everything-session`: the session service as a process of its own, over Redis.

use anyhow::Context;
use clap::Parser;
use everything_session::{
    Service,
    config::{Cli, Command},
};
use redis_store::Redis;
use serving::Listener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if let Some(Command::Healthcheck) = cli.command {
        return Ok(serving::healthcheck(&cli.listen_addr).await?);
    }
    let _telemetry = telemetry::init("everything-session", &cli.telemetry)?;
    let address = cli.redis.address()?.context(
        "REDIS_URL or REDIS_HOST must be set: a session service of its own shares its sessions through Redis",
    )?;
    let redis = Redis::connect(&address)?;
    let shutdown = serving::shutdown_signal()?;
    let listener = Listener::bind(&cli.listen_addr).await?;
    tracing::info!(address = %cli.listen_addr, "session service");
    Service::build_redis(cli.config, &redis)
        .serve(listener, shutdown)
        .await?;
    Ok(())
}
