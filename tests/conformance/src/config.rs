use clap::Args;
use redis_store::RedisArgs;
use serving::{GrpcLimits, ListenAddr, ListenArgs};

/// Settings of the conformance fixture service.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Where gRPC is served: `host:port` or `unix:/path`.
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:50054")]
    pub listen_addr: ListenAddr,
    #[command(flatten)]
    pub listen: ListenArgs,
    #[command(flatten)]
    pub redis: RedisArgs,
    #[command(flatten)]
    pub grpc: GrpcLimits,
}
