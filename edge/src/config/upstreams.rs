//! Where the services are, for the edge as a process of its own. The all-in-one has them in memory.

use clap::Args;
use serving::{GrpcTlsArgs, Replicas};

use super::{AuthMode, BadSettings};

/// Addresses of the services behind the edge: each a comma-separated list of replicas, `http://host:port`,
/// `https://host:port` or `unix:/path`. A name stands for all of its addresses.
#[derive(Args, Clone, Debug)]
pub struct UpstreamArgs {
    /// Replicas of the auth service. Not used with AUTH_MODE=disabled.
    #[arg(long, env = "AUTH_URL", default_value = "http://127.0.0.1:50051")]
    pub auth_url: String,
    /// Replicas of the session service.
    #[arg(long, env = "SESSION_URL", default_value = "http://127.0.0.1:50052")]
    pub session_url: String,
    /// Replicas of the feature service.
    #[arg(long, env = "FEATURE_URL", default_value = "http://127.0.0.1:50053")]
    pub feature_url: String,
    #[command(flatten)]
    pub tls: GrpcTlsArgs,
}

/// Checked addresses of the services.
pub struct UpstreamReplicas {
    pub auth: Replicas,
    pub session: Replicas,
    pub feature: Replicas,
}

impl UpstreamArgs {
    pub fn check(&self) -> Result<UpstreamReplicas, BadSettings> {
        let mut bad = BadSettings::default();
        let mut take = |name, text: &str| {
            let expected = "a list of http://host:port, https://host:port or unix:/path";
            let replicas = bad.take(name, expected, text)?;
            match self.tls.check(&replicas) {
                Ok(()) => Some(replicas),
                Err(problem) => {
                    bad.add(name, problem);
                    None
                }
            }
        };
        let auth = take("AUTH_URL", &self.auth_url);
        let session = take("SESSION_URL", &self.session_url);
        let feature = take("FEATURE_URL", &self.feature_url);
        match (auth, session, feature) {
            (Some(auth), Some(session), Some(feature)) => Ok(UpstreamReplicas {
                auth,
                session,
                feature,
            }),
            _ => Err(bad),
        }
    }
}

impl AuthMode {
    /// Whether the auth service is asked at all.
    pub fn needs_auth_service(self) -> bool {
        match self {
            Self::Internal | Self::External => true,
            Self::Disabled => false,
        }
    }
}
