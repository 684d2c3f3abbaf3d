//! Settings of the identity provider that users log in with.

use std::fmt;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use url::Url;

use crate::secret::Secret;

/// A real identity provider. Without `UPSTREAM_CLIENT_ID` the fake one is used.
#[derive(Args, Clone, Debug, Default)]
pub struct UpstreamConfig {
    /// Our client id at the identity provider that users log in with. Register `<BASE_URI>/callback` there as
    /// redirect URI. Unset: a fake provider where anybody logs in as anybody.
    #[arg(long, env = "UPSTREAM_CLIENT_ID")]
    pub upstream_client_id: Option<String>,
    /// Our client secret there.
    #[arg(long, env = "UPSTREAM_CLIENT_SECRET", hide_env_values = true)]
    pub upstream_client_secret: Option<SecretSetting>,
    /// How the secret is sent.
    #[arg(long, env = "UPSTREAM_CLIENT_AUTHENTICATION", value_enum, default_value_t)]
    pub upstream_client_authentication: UpstreamAuthentication,
    /// Its issuer identifier, where it publishes OpenID Connect or RFC 8414 metadata. Then the endpoints need not be set.
    #[arg(long, env = "UPSTREAM_ISSUER")]
    pub upstream_issuer: Option<Url>,
    /// Its authorization endpoint, for providers without metadata.
    #[arg(long, env = "UPSTREAM_AUTHORIZATION_ENDPOINT")]
    pub upstream_authorization_endpoint: Option<Url>,
    /// Its token endpoint, for providers without metadata.
    #[arg(long, env = "UPSTREAM_TOKEN_ENDPOINT")]
    pub upstream_token_endpoint: Option<Url>,
    /// Answers a JSON object about the user for an access token, e.g. https://api.github.com/user.
    #[arg(long, env = "UPSTREAM_USERINFO_ENDPOINT")]
    pub upstream_userinfo_endpoint: Option<Url>,
    /// Scopes to ask for, separated by spaces or commas. Default: `openid` with an issuer, none without.
    #[arg(long, env = "UPSTREAM_SCOPES")]
    pub upstream_scopes: Option<String>,
    /// Member of the user information that is the user id; it must never change and never be given to anybody else:
    /// `sub` in OpenID Connect, `id` at GitHub.
    #[arg(long, env = "UPSTREAM_USER_ID_CLAIM", default_value = "sub")]
    pub upstream_user_id_claim: Option<String>,
}

/// How our secret is sent to the upstream provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum UpstreamAuthentication {
    #[default]
    Basic,
    Post,
}

/// A secret that comes as a setting and is shown nowhere.
#[derive(Clone)]
pub struct SecretSetting(Secret);

/// A checked provider.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamSettings {
    pub client_id: String,
    pub client_secret: Option<Secret>,
    pub authentication: UpstreamAuthentication,
    pub endpoints: UpstreamEndpoints,
    pub scopes: Vec<String>,
    pub user_id_claim: String,
}

#[derive(Clone, Debug)]
pub(crate) enum UpstreamEndpoints {
    Known {
        authorization: Url,
        token: Url,
        userinfo: Url,
    },
    /// As the issuer's metadata says.
    Discovered { issuer: Url },
}

impl SecretSetting {
    pub(crate) fn secret(&self) -> Secret {
        self.0.clone()
    }
}

impl FromStr for SecretSetting {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Secret::new(text)))
    }
}

impl fmt::Debug for SecretSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretSetting(..)")
    }
}

impl UpstreamConfig {
    /// `None`: no real provider is configured.
    pub(crate) fn check(&self) -> Result<Option<UpstreamSettings>, String> {
        let endpoints = (
            &self.upstream_authorization_endpoint,
            &self.upstream_token_endpoint,
            &self.upstream_userinfo_endpoint,
            &self.upstream_issuer,
        );
        let Some(client_id) = &self.upstream_client_id else {
            return match (endpoints, &self.upstream_client_secret) {
                ((None, None, None, None), None) => Ok(None),
                _ => Err("UPSTREAM_CLIENT_ID is missing, other UPSTREAM_ settings are there".to_owned()),
            };
        };
        let endpoints = match endpoints {
            (Some(authorization), Some(token), Some(userinfo), None) => UpstreamEndpoints::Known {
                authorization: authorization.clone(),
                token: token.clone(),
                userinfo: userinfo.clone(),
            },
            (None, None, None, Some(issuer)) => UpstreamEndpoints::Discovered {
                issuer: issuer.clone(),
            },
            _ => {
                return Err(
                    "set either UPSTREAM_ISSUER, or all of UPSTREAM_AUTHORIZATION_ENDPOINT, \
                            UPSTREAM_TOKEN_ENDPOINT and UPSTREAM_USERINFO_ENDPOINT"
                        .to_owned(),
                );
            }
        };
        let default_scopes = match &endpoints {
            UpstreamEndpoints::Known { .. } => "",
            UpstreamEndpoints::Discovered { .. } => "openid",
        };
        let scopes = self.upstream_scopes.as_deref().unwrap_or(default_scopes);
        Ok(Some(UpstreamSettings {
            client_id: client_id.clone(),
            client_secret: self.upstream_client_secret.as_ref().map(SecretSetting::secret),
            authentication: self.upstream_client_authentication,
            endpoints,
            scopes: scopes
                .split([' ', ','])
                .filter(|scope| !scope.is_empty())
                .map(str::to_owned)
                .collect(),
            user_id_claim: self
                .upstream_user_id_claim
                .clone()
                .unwrap_or_else(|| "sub".to_owned()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_an_issuer_or_all_endpoints() {
        let url = |text: &str| Some(text.parse::<Url>().unwrap());
        let base = UpstreamConfig {
            upstream_client_id: Some("us".to_owned()),
            ..UpstreamConfig::default()
        };
        assert!(UpstreamConfig::default().check().unwrap().is_none());
        assert!(base.check().is_err());
        let issuer = UpstreamConfig {
            upstream_issuer: url("https://login.example"),
            ..base.clone()
        };
        assert_eq!(issuer.check().unwrap().unwrap().scopes, ["openid"]);
        let endpoints = UpstreamConfig {
            upstream_authorization_endpoint: url("https://github.com/login/oauth/authorize"),
            upstream_token_endpoint: url("https://github.com/login/oauth/access_token"),
            upstream_userinfo_endpoint: url("https://api.github.com/user"),
            ..base.clone()
        };
        assert!(endpoints.check().unwrap().unwrap().scopes.is_empty());
        let both = UpstreamConfig {
            upstream_issuer: url("https://login.example"),
            ..endpoints.clone()
        };
        assert!(both.check().is_err());
        let forgotten = UpstreamConfig {
            upstream_client_id: None,
            ..endpoints
        };
        assert!(forgotten.check().is_err());
    }

    #[test]
    fn the_secret_is_not_shown() {
        let config = UpstreamConfig {
            upstream_client_secret: "hunter2".parse().ok(),
            ..UpstreamConfig::default()
        };
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
