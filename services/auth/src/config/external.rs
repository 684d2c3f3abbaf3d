//! Settings of another authorization server, in place of this one.

use clap::Args;
use url::Url;

use super::upstream::SecretSetting;
use crate::secret::Secret;

/// Tokens of any OAuth 2.0 or OpenID Connect provider.
#[derive(Args, Clone, Debug, Default)]
pub struct ExternalConfig {
    /// Issuer identifier of the authorization server whose tokens are accepted (AUTH_MODE=external). Unset: this service
    /// issues them.
    #[arg(long, env = "AUTH_ISSUER")]
    pub auth_issuer: Option<String>,
    /// Audiences that its tokens may have instead of `<BASE_URI>/mcp`, separated by commas. For providers that do not
    /// know resource indicators (RFC 8707); every other service that shares an audience can use our users' tokens here.
    #[arg(long, env = "AUTH_AUDIENCE", value_delimiter = ',')]
    pub auth_audience: Vec<String>,
    /// Scopes, separated by spaces, of tokens that carry none of ours. For providers where `mcp:tools`, `mcp:resources`
    /// and `mcp:prompts` cannot be set up.
    #[arg(long, env = "AUTH_DEFAULT_SCOPES")]
    pub auth_default_scopes: Option<String>,
    /// Our client id at its introspection endpoint (RFC 7662). Set it when its tokens are not signed JWTs.
    #[arg(long, env = "AUTH_INTROSPECTION_CLIENT_ID")]
    pub auth_introspection_client_id: Option<String>,
    /// Our client secret there.
    #[arg(long, env = "AUTH_INTROSPECTION_CLIENT_SECRET", hide_env_values = true)]
    pub auth_introspection_client_secret: Option<SecretSetting>,
}

/// A checked external authorization server.
#[derive(Clone, Debug)]
pub(crate) struct ExternalSettings {
    /// As the operator wrote it: clients compare it with what the issuer calls itself.
    pub issuer: String,
    pub audiences: Vec<String>,
    pub default_scopes: Vec<String>,
    /// Client id and secret. `None`: tokens are JWTs.
    pub introspection: Option<(String, Secret)>,
}

impl ExternalConfig {
    /// `None`: this service issues tokens.
    pub(crate) fn check(&self) -> Result<Option<ExternalSettings>, String> {
        let Some(issuer) = &self.auth_issuer else {
            return Ok(None);
        };
        let fits = Url::parse(issuer).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
        });
        if !fits {
            return Err("AUTH_ISSUER must be an http or https URL without query and fragment".to_owned());
        }
        let introspection = match (
            &self.auth_introspection_client_id,
            &self.auth_introspection_client_secret,
        ) {
            (None, None) => None,
            (Some(id), Some(secret)) => Some((id.clone(), secret.secret())),
            _ => {
                return Err(
                    "set both AUTH_INTROSPECTION_CLIENT_ID and AUTH_INTROSPECTION_CLIENT_SECRET, or none"
                        .to_owned(),
                );
            }
        };
        let scopes = self.auth_default_scopes.as_deref().unwrap_or_default();
        Ok(Some(ExternalSettings {
            issuer: issuer.clone(),
            audiences: self.auth_audience.clone(),
            default_scopes: scopes.split_ascii_whitespace().map(str::to_owned).collect(),
            introspection,
        }))
    }
}
