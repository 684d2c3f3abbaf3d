//! Settings of the edge: flags, environment variables of the same meaning, and what they mean once checked.
//!
//! Values arrive as text and are checked together, so that all bad ones can be reported at once, by name.

mod base_uri;
mod hidden;
mod hosts;
mod keys;
mod problems;
mod proxies;
mod streams;
mod tls;
mod upstreams;

use std::{net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::Args;

use crate::mcp::{McpSettings, StateKeys};
pub use base_uri::BaseUri;
use hidden::Hidden;
pub use hosts::{AllowedHosts, AllowedOrigins};
pub use keys::generate_key;
pub use problems::{BadSetting, BadSettings};
pub use proxies::TrustedProxies;
pub use streams::StreamArgs;
pub use tls::{TlsArgs, TlsFiles};
pub use upstreams::{UpstreamArgs, UpstreamReplicas};

/// Exit code for settings that cannot be used (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Settings as given. Each variable has a flag of the same meaning.
#[derive(Args, Clone, Debug)]
pub struct EdgeConfig {
    /// Address to listen on: a name or an IP address.
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub host: String,
    /// Port to listen on. 0 picks a free one.
    #[arg(long, env = "PORT", default_value = "3232")]
    pub port: String,
    /// What clients and browsers reach this server as: scheme, host and port, no path. Default `http://localhost:<PORT>`,
    /// or `https:` with TLS_CERT.
    #[arg(long, env = "BASE_URI")]
    pub base_uri: Option<String>,
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Who issues tokens: `internal` (this deployment's auth service), `external` (another authorization server), or
    /// `disabled` (no tokens at all; only on loopback).
    #[arg(long, env = "AUTH_MODE", default_value = "internal")]
    pub auth_mode: String,
    /// Host names, besides loopback and the one in BASE_URI, that requests may be addressed to; comma-separated. `*`
    /// takes any, which gives up the protection against DNS rebinding.
    #[arg(long, env = "ALLOWED_HOSTS", default_value = "")]
    pub allowed_hosts: String,
    /// Origins of browser clients, besides loopback and BASE_URI, e.g. `https://app.example`; comma-separated. `*` takes
    /// any.
    #[arg(long, env = "ALLOWED_ORIGINS", default_value = "")]
    pub allowed_origins: String,
    /// Addresses or networks (`10.0.0.0/8`) of reverse proxies whose `X-Forwarded-For` is believed; comma-separated.
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: String,
    /// Largest request body, bytes.
    #[arg(long, env = "MAX_BODY_BYTES", default_value = "4194304")]
    pub max_body_bytes: String,
    /// Largest request head, bytes; at least 8192.
    #[arg(long, env = "MAX_HEADER_BYTES", default_value = "32768")]
    pub max_header_bytes: String,
    /// Connections held at once. More are answered 503 and closed.
    #[arg(long, env = "MAX_CONNECTIONS", default_value = "20000")]
    pub max_connections: String,
    /// Requests worked on at once; open event streams do not count. More are answered 503.
    #[arg(long, env = "MAX_REQUESTS", default_value = "2048")]
    pub max_requests: String,
    /// How long a client may take to send a request's head, seconds.
    #[arg(long, env = "HEADER_TIMEOUT_SECS", default_value = "10")]
    pub header_timeout_secs: String,
    /// How long a client may take to send a request's body, seconds.
    #[arg(long, env = "BODY_TIMEOUT_SECS", default_value = "30")]
    pub body_timeout_secs: String,
    /// How long a connection may stay open without a request, seconds. Longer than the idle time of proxies in front.
    #[arg(long, env = "IDLE_TIMEOUT_SECS", default_value = "75")]
    pub idle_timeout_secs: String,
    /// How long a client may take nothing of what was sent to it, seconds; then its connection is closed. One that reads
    /// slowly takes something.
    #[arg(long, env = "WRITE_TIMEOUT_SECS", default_value = "120")]
    pub write_timeout_secs: String,
    /// How long requests are still taken after a shutdown began, while /readyz says so, seconds: as long as a load balancer
    /// takes to notice. 0 where there is none.
    #[arg(long, env = "LEAVE_SECS", default_value = "0")]
    pub leave_secs: String,
    /// How long running requests and streams get to end after that, seconds.
    #[arg(long, env = "DRAIN_TIMEOUT_SECS", default_value = "10")]
    pub drain_timeout_secs: String,
    /// Comment line on quiet event streams, seconds. Shorter than the idle time of proxies in between.
    #[arg(long, env = "SSE_KEEP_ALIVE_SECS", default_value = "15")]
    pub sse_keep_alive_secs: String,
    #[command(flatten)]
    pub streams: StreamArgs,
    /// Access tokens whose introspection is remembered.
    #[arg(long, env = "TOKEN_CACHE_SIZE", default_value = "10000")]
    pub token_cache_size: String,
    /// How long an introspection is remembered, seconds; at most 60. Revocations are heard of at once regardless.
    #[arg(long, env = "TOKEN_CACHE_SECS", default_value = "60")]
    pub token_cache_secs: String,
    /// Sessions that are remembered, so that a warm request asks nobody.
    #[arg(long, env = "SESSION_CACHE_SIZE", default_value = "10000")]
    pub session_cache_size: String,
    /// How long a session is remembered, seconds. Changes are heard of at once regardless.
    #[arg(long, env = "SESSION_CACHE_SECS", default_value = "60")]
    pub session_cache_secs: String,
    /// How long a client, and the person behind it, may take to answer a request of the server, seconds.
    #[arg(long, env = "INPUT_TIMEOUT_SECS", default_value = "300")]
    pub input_timeout_secs: String,
    /// How long a feature may be silent during a call, seconds.
    #[arg(long, env = "CALL_IDLE_TIMEOUT_SECS", default_value = "600")]
    pub call_idle_timeout_secs: String,
    /// Secrets that seal what 2026-07-28 clients keep between two rounds of a call, each of at least 32 characters;
    /// comma-separated. The first seals, all open, so that keys can be rotated. The same on every edge. Unset: a random
    /// one, which is enough for a single edge.
    #[arg(long, env = "REQUEST_STATE_KEYS", default_value = "", hide_env_values = true)]
    pub request_state_keys: Hidden,
    /// A file with such secrets, one a line; `everything-edge generate-key FILE` makes one. Those of REQUEST_STATE_KEYS
    /// come first.
    #[arg(long, env = "REQUEST_STATE_KEYS_FILE")]
    pub request_state_keys_file: Option<PathBuf>,
    /// How long a client, and the person behind it, may take between two rounds, seconds.
    #[arg(long, env = "REQUEST_STATE_SECS", default_value = "600")]
    pub request_state_secs: String,
}

impl Default for EdgeConfig {
    /// What the flags default to, without reading the environment.
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: "3232".to_owned(),
            base_uri: None,
            tls: TlsArgs::default(),
            auth_mode: "internal".to_owned(),
            allowed_hosts: String::new(),
            allowed_origins: String::new(),
            trusted_proxies: String::new(),
            max_body_bytes: "4194304".to_owned(),
            max_header_bytes: "32768".to_owned(),
            max_connections: "20000".to_owned(),
            max_requests: "2048".to_owned(),
            header_timeout_secs: "10".to_owned(),
            body_timeout_secs: "30".to_owned(),
            idle_timeout_secs: "75".to_owned(),
            write_timeout_secs: "120".to_owned(),
            leave_secs: "0".to_owned(),
            drain_timeout_secs: "10".to_owned(),
            sse_keep_alive_secs: "15".to_owned(),
            streams: StreamArgs::default(),
            token_cache_size: "10000".to_owned(),
            token_cache_secs: "60".to_owned(),
            session_cache_size: "10000".to_owned(),
            session_cache_secs: "60".to_owned(),
            input_timeout_secs: "300".to_owned(),
            call_idle_timeout_secs: "600".to_owned(),
            request_state_keys: Hidden::default(),
            request_state_keys_file: None,
            request_state_secs: "600".to_owned(),
        }
    }
}

/// Checked settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// As in HOST.
    pub host: String,
    pub port: u16,
    pub tls: Option<TlsFiles>,
    pub base: BaseUri,
    pub auth: AuthMode,
    pub hosts: AllowedHosts,
    pub origins: AllowedOrigins,
    pub proxies: TrustedProxies,
    pub limits: Limits,
    /// Interval of comments on quiet event streams.
    pub sse_keep_alive: Duration,
    pub token_cache_size: u64,
    pub token_cache_age: Duration,
    pub mcp: McpSettings,
}

/// Bounds on what one client, and all of them together, can make the edge hold.
#[derive(Clone, Debug)]
pub struct Limits {
    pub body_bytes: usize,
    pub header_bytes: usize,
    pub connections: usize,
    pub requests: usize,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    pub idle_timeout: Duration,
    pub write_timeout: Duration,
    pub leave_delay: Duration,
    pub drain_timeout: Duration,
}

/// Who issues the tokens that clients present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// The auth service, whose HTTP face the edge is.
    Internal,
    /// Another authorization server; the auth service only validates.
    External,
    /// Nobody: every request is the same anonymous user's.
    Disabled,
}

impl EdgeConfig {
    /// Checks everything, and reports everything that is wrong.
    pub fn check(&self) -> Result<Settings, BadSettings> {
        let mut bad = BadSettings::default();
        let port = bad.take("PORT", "a port number", &self.port).unwrap_or_default();
        let base = self
            .base_uri
            .clone()
            .unwrap_or_else(|| format!("{}://localhost:{port}", self.tls.scheme()));
        let base = bad.take("BASE_URI", "an http or https origin without a path", &base);
        let auth = bad.take("AUTH_MODE", "internal, external or disabled", &self.auth_mode);
        let limits = self.limits(&mut bad);
        let hosts = bad
            .take("ALLOWED_HOSTS", "a list of host names", &self.allowed_hosts)
            .unwrap_or_default();
        let origins = bad
            .take("ALLOWED_ORIGINS", "a list of origins", &self.allowed_origins)
            .unwrap_or_default();
        let proxies = bad
            .take(
                "TRUSTED_PROXIES",
                "a list of addresses and networks",
                &self.trusted_proxies,
            )
            .unwrap_or_default();
        let sse_keep_alive = bad.seconds("SSE_KEEP_ALIVE_SECS", &self.sse_keep_alive_secs, 3600.0);
        let token_cache_size = bad
            .take("TOKEN_CACHE_SIZE", "a number", &self.token_cache_size)
            .unwrap_or_default();
        let token_cache_age = bad.seconds("TOKEN_CACHE_SECS", &self.token_cache_secs, 60.0);
        let streams = self.streams.check(&mut bad);
        let mcp = McpSettings {
            retry_ms: streams.retry_ms,
            max_stream_age: streams.max_age,
            drain: limits.drain_timeout,
            calls: streams.calls,
            streams: streams.streams,
            session_cache_size: bad
                .take("SESSION_CACHE_SIZE", "a number", &self.session_cache_size)
                .unwrap_or_default(),
            session_cache_age: bad.seconds("SESSION_CACHE_SECS", &self.session_cache_secs, 3600.0),
            input_timeout: bad.seconds("INPUT_TIMEOUT_SECS", &self.input_timeout_secs, 86_400.0),
            knows_users: auth != Some(AuthMode::Disabled),
            call_idle_timeout: bad.seconds("CALL_IDLE_TIMEOUT_SECS", &self.call_idle_timeout_secs, 86_400.0),
            state_keys: StateKeys::new(
                &self.request_state_secrets(&mut bad),
                bad.seconds("REQUEST_STATE_SECS", &self.request_state_secs, 86_400.0),
            ),
        };
        if self.host.trim().is_empty() {
            bad.add("HOST", "is empty; use a host name or an IP address");
        }
        if auth == Some(AuthMode::Disabled) && !is_loopback(&self.host) {
            bad.add(
                "AUTH_MODE",
                format!(
                    "disabled serves everybody, so HOST must be a loopback address, not {:?}",
                    self.host
                ),
            );
        }
        let tls = self.tls.check(&self.host, &mut bad);
        let (Some(base), Some(auth), true) = (base, auth, bad.0.is_empty()) else {
            return Err(bad);
        };
        Ok(Settings {
            host: self.host.clone(),
            port,
            tls,
            base,
            auth,
            hosts,
            origins,
            proxies,
            limits,
            sse_keep_alive,
            token_cache_size,
            token_cache_age,
            mcp,
        })
    }

    fn request_state_secrets(&self, bad: &mut BadSettings) -> Vec<String> {
        let mut secrets = self.request_state_keys.secrets("REQUEST_STATE_KEYS", bad);
        if let Some(path) = &self.request_state_keys_file {
            match Hidden::read(path) {
                Ok(hidden) => {
                    let found = hidden.secrets("REQUEST_STATE_KEYS_FILE", bad);
                    if found.is_empty() {
                        bad.add("REQUEST_STATE_KEYS_FILE", "holds no secret");
                    }
                    secrets.extend(found);
                }
                Err(error) => bad.add("REQUEST_STATE_KEYS_FILE", format!("cannot be read: {error}")),
            }
        }
        secrets
    }

    fn limits(&self, bad: &mut BadSettings) -> Limits {
        let header_bytes = bad.positive("MAX_HEADER_BYTES", &self.max_header_bytes);
        // Hyper cannot read with a smaller buffer.
        if header_bytes != 0 && header_bytes < 8192 {
            bad.add("MAX_HEADER_BYTES", "must be at least 8192");
        }
        Limits {
            header_bytes,
            body_bytes: bad.positive("MAX_BODY_BYTES", &self.max_body_bytes),
            connections: bad.positive("MAX_CONNECTIONS", &self.max_connections),
            requests: bad.positive("MAX_REQUESTS", &self.max_requests),
            header_timeout: bad.seconds("HEADER_TIMEOUT_SECS", &self.header_timeout_secs, 3600.0),
            body_timeout: bad.seconds("BODY_TIMEOUT_SECS", &self.body_timeout_secs, 3600.0),
            idle_timeout: bad.seconds("IDLE_TIMEOUT_SECS", &self.idle_timeout_secs, 86_400.0),
            write_timeout: bad.seconds("WRITE_TIMEOUT_SECS", &self.write_timeout_secs, 86_400.0),
            leave_delay: match self.leave_secs.trim() {
                "0" => Duration::ZERO,
                seconds => bad.seconds("LEAVE_SECS", seconds, 600.0),
            },
            drain_timeout: bad.seconds("DRAIN_TIMEOUT_SECS", &self.drain_timeout_secs, 3600.0),
        }
    }
}

impl Settings {
    /// The same settings on the port that the listener got, for PORT=0.
    pub fn listening_on(mut self, port: u16) -> Self {
        if self.port == 0 {
            self.base = self.base.listening_on(port);
        }
        self.port = port;
        self
    }

    /// `HOST:PORT`, for binding.
    pub fn listen_address(&self) -> String {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for AuthMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "internal" => Ok(Self::Internal),
            "external" => Ok(Self::External),
            "disabled" => Ok(Self::Disabled),
            _ => Err(()),
        }
    }
}

/// Whether a listener on `host` can only be reached from this machine.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
