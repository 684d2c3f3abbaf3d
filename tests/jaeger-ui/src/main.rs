//! Jaeger's user interface over what arrives by OTLP/gRPC, without a container: `jaeger-ui OTLP_ADDR UI_ADDR`.

use std::net::SocketAddr;

use anyhow::Context;
use otlp_embedded::{Config, State, TraceServiceImpl, TraceServiceServer, ui_app};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut addresses = std::env::args().skip(1);
    let mut address = |name: &str| -> anyhow::Result<SocketAddr> {
        addresses
            .next()
            .with_context(|| format!("{name} is missing"))?
            .parse()
            .context("ip:port")
    };
    let (otlp, ui) = (address("OTLP_ADDR")?, address("UI_ADDR")?);
    let state = State::new(Config {
        max_length: 1000,
        max_memory_usage: 128 << 20,
    });
    let receiver = TraceServiceServer::new(TraceServiceImpl::new(state.clone()));
    let listener = tokio::net::TcpListener::bind(ui).await?;
    let pages = axum::serve(listener, ui_app(state, "/"));
    tokio::select! {
        served = tonic::transport::Server::builder().add_service(receiver).serve(otlp) => served?,
        served = async { pages.await } => served?,
    }
    Ok(())
}
