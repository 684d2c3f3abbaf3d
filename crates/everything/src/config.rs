use clap::Args;
use everything_edge::EdgeConfig;
use serving::Replicas;

/// Settings of all services together.
#[derive(Args, Clone, Debug, Default)]
#[group(skip)]
pub struct Config {
    #[command(flatten)]
    pub edge: EdgeConfig,
    #[command(flatten)]
    pub auth: everything_auth::Config,
    #[command(flatten)]
    pub session: everything_session::Config,
    #[command(flatten)]
    pub feature: everything_feature::Config,
    #[command(flatten)]
    pub replacements: Replacements,
}

/// Services that run elsewhere instead of in this process. Each a comma-separated list of replicas, `http://host:port`
/// or `unix:/path`.
#[derive(Args, Clone, Debug, Default)]
#[group(skip)]
pub struct Replacements {
    /// An auth service to use instead of the embedded one.
    #[arg(long, env = "AUTH_URL")]
    pub auth_url: Option<Replicas>,
    /// A session service to use instead of the embedded one.
    #[arg(long, env = "SESSION_URL")]
    pub session_url: Option<Replicas>,
    /// A feature service to use instead of the embedded one. Without Redis its changes do not reach sessions.
    #[arg(long, env = "FEATURE_URL")]
    pub feature_url: Option<Replicas>,
}
