use clap::Args;
use everything_edge::{AuthMode, EdgeConfig, Settings, config::BadSettings};
use serving::{GrpcTlsArgs, Replicas};
use url::Url;

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
    /// For services that run elsewhere.
    #[command(flatten)]
    pub tls: GrpcTlsArgs,
}

impl Config {
    /// Checks the edge's settings, and what concerns the edge and the embedded auth service together.
    pub fn check(&self) -> Result<Settings, BadSettings> {
        let settings = self.edge.check()?;
        let mut bad = BadSettings::default();
        if self.replacements.auth_url.is_none() && settings.auth.needs_auth_service() {
            let external = settings.auth == AuthMode::External;
            if external != self.auth.external.auth_issuer.is_some() {
                bad.add(
                    "AUTH_ISSUER",
                    "goes together with AUTH_MODE=external: set both or neither",
                );
            } else if let Ok(base_uri) = Url::parse(settings.base.as_str())
                && let Err(error) = everything_auth::Settings::new(&base_uri, &self.auth)
            {
                bad.add("auth service", error.to_string());
            }
        }
        let replacements = [
            ("AUTH_URL", &self.replacements.auth_url),
            ("SESSION_URL", &self.replacements.session_url),
            ("FEATURE_URL", &self.replacements.feature_url),
        ];
        for (name, replicas) in replacements {
            if let Some(Err(problem)) = replicas.as_ref().map(|replicas| self.tls.check(replicas)) {
                bad.add(name, problem);
            }
        }
        if bad.0.is_empty() { Ok(settings) } else { Err(bad) }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_and_external_mode_go_together() {
        let mut config = Config::default();
        assert!(config.check().is_ok());
        config.edge.auth_mode = "external".to_owned();
        assert!(config.check().unwrap_err().to_string().contains("AUTH_ISSUER"));
        config.replacements.auth_url = Some("http://127.0.0.1:50051".parse().unwrap());
        assert!(config.check().is_ok());
    }
}
