//! Settings of the authorization server: flags with environment variables of the same meaning.
//!
//! What the process owns (addresses, Redis, gRPC limits) is not here, so that the all-in-one can flatten
//! [`Config`] beside the settings of the other services.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};
use url::{Host, Url};

use self::external::{ExternalConfig, ExternalSettings};
use self::upstream::{UpstreamConfig, UpstreamSettings};
use crate::client::{Client, preregistered};
use crate::error::Error;
use crate::limits::RateLimits;
use crate::resource::Resources;

pub(crate) mod external;
pub(crate) mod upstream;

/// Settings as given.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Config {
    /// Life of an access token, seconds.
    #[arg(long, env = "ACCESS_TOKEN_TTL_S", default_value_t = 60 * 60)]
    pub access_token_ttl_s: u64,
    /// Life of a refresh token, seconds; each use begins it anew.
    #[arg(long, env = "REFRESH_TOKEN_TTL_S", default_value_t = 7 * 24 * 60 * 60)]
    pub refresh_token_ttl_s: u64,
    /// Time to redeem an authorization code, seconds. At most 600 (RFC 6749 section 4.1.2).
    #[arg(long, env = "AUTHORIZATION_CODE_TTL_S", default_value_t = 60)]
    pub authorization_code_ttl_s: u64,
    /// Time to decide on the consent page, and again to log in upstream, seconds.
    #[arg(long, env = "LOGIN_TTL_S", default_value_t = 10 * 60)]
    pub login_ttl_s: u64,
    /// How long a registered client is kept that has never got a token, seconds.
    #[arg(long, env = "UNUSED_CLIENT_TTL_S", default_value_t = 7 * 24 * 60 * 60)]
    pub unused_client_ttl_s: u64,
    /// How long a registered client is kept after its last token, seconds.
    #[arg(long, env = "CLIENT_TTL_S", default_value_t = 90 * 24 * 60 * 60)]
    pub client_ttl_s: u64,
    /// How long a user's consent to a client is remembered, seconds. 0: it is asked for each time.
    #[arg(long, env = "CONSENT_TTL_S", default_value_t = 30 * 24 * 60 * 60)]
    pub consent_ttl_s: u64,
    /// Further resources (RFC 8707) that tokens may be asked for: other MCP servers that this server logs users in for.
    #[arg(long, env = "ADDITIONAL_RESOURCES", value_delimiter = ',')]
    pub additional_resources: Vec<Url>,
    /// File of clients that are registered beforehand: `{"clients": [{"client_id": "…", "client_secret": "…", …}]}`
    /// with the members of RFC 7591.
    #[arg(long, env = "CLIENTS_FILE")]
    pub clients_file: Option<PathBuf>,
    /// Lets client metadata documents and client keys be read from this machine, also over http. For development.
    #[arg(long, env = "CLIENT_DOCUMENTS_FROM_LOOPBACK", default_value_t = false)]
    pub client_documents_from_loopback: bool,
    /// Asks DPoP proofs for a nonce of ours (RFC 9449 section 8), so that none can be made in advance.
    #[arg(long, env = "DPOP_NONCES", default_value_t = true, action = ArgAction::Set)]
    pub dpop_nonces: bool,
    #[command(flatten)]
    pub rate_limits: RateLimits,
    #[command(flatten)]
    pub upstream: UpstreamConfig,
    #[command(flatten)]
    pub external: ExternalConfig,
    /// Lets the fake upstream provider, where anybody logs in as anybody, run for a public https BASE_URI.
    #[arg(long, env = "FAKE_UPSTREAM_ON_PUBLIC_HOST", default_value_t = false)]
    pub fake_upstream_on_public_host: bool,
}

/// Settings that were checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The issuer identifier: BASE_URI without a trailing slash.
    pub issuer: String,
    pub resources: Resources,
    pub access_token_ttl: Duration,
    pub refresh_token_ttl: Duration,
    pub authorization_code_ttl: Duration,
    pub login_ttl: Duration,
    pub unused_client_ttl: Duration,
    pub client_ttl: Duration,
    /// Zero: consent is not remembered.
    pub consent_ttl: Duration,
    pub(crate) clients: HashMap<String, Client>,
    pub loopback_documents: bool,
    pub dpop_nonces: bool,
    pub rate_limits: RateLimits,
    /// `None`: the fake one.
    pub(crate) upstream: Option<UpstreamSettings>,
    /// `None`: tokens are issued here.
    pub(crate) external: Option<ExternalSettings>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            access_token_ttl_s: 60 * 60,
            refresh_token_ttl_s: 7 * 24 * 60 * 60,
            authorization_code_ttl_s: 60,
            login_ttl_s: 10 * 60,
            unused_client_ttl_s: 7 * 24 * 60 * 60,
            client_ttl_s: 90 * 24 * 60 * 60,
            consent_ttl_s: 30 * 24 * 60 * 60,
            additional_resources: Vec::new(),
            clients_file: None,
            client_documents_from_loopback: false,
            dpop_nonces: true,
            rate_limits: RateLimits::default(),
            upstream: UpstreamConfig::default(),
            external: ExternalConfig::default(),
            fake_upstream_on_public_host: false,
        }
    }
}

impl Settings {
    /// `base_uri`: where users and clients reach the edge. All that is wrong is reported at once.
    pub fn new(base_uri: &Url, config: &Config) -> Result<Self, Error> {
        let mut problems = Vec::new();
        if !matches!(base_uri.scheme(), "http" | "https") || base_uri.host().is_none() {
            problems.push("BASE_URI must be an http or https URL".to_owned());
        }
        if base_uri.query().is_some() || base_uri.fragment().is_some() || !base_uri.username().is_empty() {
            problems.push("BASE_URI must have no query, fragment or user name".to_owned());
        }
        for (name, value, most) in [
            ("ACCESS_TOKEN_TTL_S", config.access_token_ttl_s, YEAR_S),
            ("REFRESH_TOKEN_TTL_S", config.refresh_token_ttl_s, YEAR_S),
            ("AUTHORIZATION_CODE_TTL_S", config.authorization_code_ttl_s, 600),
            ("LOGIN_TTL_S", config.login_ttl_s, 24 * 60 * 60),
            ("UNUSED_CLIENT_TTL_S", config.unused_client_ttl_s, 10 * YEAR_S),
            ("CLIENT_TTL_S", config.client_ttl_s, 10 * YEAR_S),
        ] {
            if value == 0 || value > most {
                problems.push(format!("{name} must be between 1 and {most}"));
            }
        }
        let external = config.external.check().unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        let upstream = config.upstream.check().unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        let fake = upstream.is_none() && external.is_none();
        if fake && is_public(base_uri) && !config.fake_upstream_on_public_host {
            problems.push(
                "the fake upstream provider lets anybody log in as anybody and is refused for a public https BASE_URI: \
                 configure a real one, or set FAKE_UPSTREAM_ON_PUBLIC_HOST=true"
                    .to_owned(),
            );
        }
        let clients = clients(config).unwrap_or_else(|problem| {
            problems.push(problem);
            HashMap::new()
        });
        if !problems.is_empty() {
            return Err(Error::Settings(problems.join("; ")));
        }
        let issuer = base_uri.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            resources: Resources::new(&issuer, &config.additional_resources),
            issuer,
            access_token_ttl: Duration::from_secs(config.access_token_ttl_s),
            refresh_token_ttl: Duration::from_secs(config.refresh_token_ttl_s),
            authorization_code_ttl: Duration::from_secs(config.authorization_code_ttl_s),
            login_ttl: Duration::from_secs(config.login_ttl_s),
            unused_client_ttl: Duration::from_secs(config.unused_client_ttl_s),
            client_ttl: Duration::from_secs(config.client_ttl_s),
            consent_ttl: Duration::from_secs(config.consent_ttl_s.min(YEAR_S)),
            clients,
            loopback_documents: config.client_documents_from_loopback,
            dpop_nonces: config.dpop_nonces,
            rate_limits: config.rate_limits.clone(),
            upstream,
            external,
        })
    }

    /// An address below the issuer.
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }
}

fn clients(config: &Config) -> Result<HashMap<String, Client>, String> {
    let Some(path) = &config.clients_file else {
        return Ok(HashMap::new());
    };
    let text = std::fs::read_to_string(path).map_err(|error| format!("CLIENTS_FILE: {error}"))?;
    preregistered::parse(&text).map_err(|problem| format!("CLIENTS_FILE: {problem}"))
}

const YEAR_S: u64 = 366 * 24 * 60 * 60;

/// https on a host that is neither this machine nor a private network.
fn is_public(url: &Url) -> bool {
    if url.scheme() != "https" {
        return false;
    }
    match url.host() {
        Some(Host::Domain(domain)) => ![
            "localhost",
            "local",
            "internal",
            "test",
            "example",
            "invalid",
            "home.arpa",
        ]
        .iter()
        .any(|private| domain == *private || domain.ends_with(&format!(".{private}"))),
        Some(Host::Ipv4(address)) => {
            !(address.is_loopback() || address.is_private() || address.is_link_local())
        }
        Some(Host::Ipv6(address)) => !(address.is_loopback() || address.is_unique_local()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(base_uri: &str, config: &Config) -> Result<Settings, Error> {
        Settings::new(&Url::parse(base_uri).unwrap(), config)
    }

    #[test]
    fn the_issuer_has_no_trailing_slash() {
        assert_eq!(
            settings("http://localhost:3232", &Config::default())
                .unwrap()
                .issuer,
            "http://localhost:3232"
        );
        assert_eq!(
            settings("https://a.test/base/", &Config::default())
                .unwrap()
                .issuer,
            "https://a.test/base"
        );
    }

    #[test]
    fn the_fake_upstream_refuses_a_public_host_unless_forced() {
        let error = settings("https://mcp.acme.com", &Config::default()).unwrap_err();
        assert!(
            error.to_string().contains("FAKE_UPSTREAM_ON_PUBLIC_HOST"),
            "{error}"
        );
        let forced = Config {
            fake_upstream_on_public_host: true,
            ..Config::default()
        };
        assert!(settings("https://mcp.acme.com", &forced).is_ok());
        assert!(settings("https://localhost:8443", &Config::default()).is_ok());
    }

    #[test]
    fn all_bad_settings_are_reported_at_once() {
        let config = Config {
            access_token_ttl_s: 0,
            authorization_code_ttl_s: 601,
            ..Config::default()
        };
        let error = settings("ftp://x/?y", &config).unwrap_err().to_string();
        for name in [
            "BASE_URI must be",
            "no query",
            "ACCESS_TOKEN_TTL_S",
            "AUTHORIZATION_CODE_TTL_S",
        ] {
            assert!(error.contains(name), "{error}");
        }
    }
}
