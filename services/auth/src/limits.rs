//! Rate limits: counted in the store, so shared by all replicas, and per caller, so that nobody locks others out.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use clap::Args;

use crate::oauth_error::{ErrorCode, Failure, OAuthError};
use crate::secret::SecretHash;
use crate::server::AuthorizationServer;
use crate::store::{Key, Space, StoreError};

const MINUTE: Duration = Duration::from_secs(60);

/// How much one caller may ask for. 0 switches a limit off.
#[derive(Args, Clone, Debug)]
pub struct RateLimits {
    /// Registrations per address and minute.
    #[arg(long, env = "RATE_LIMIT_REGISTER", default_value_t = 60)]
    pub rate_limit_register: u64,
    /// Authorization requests (also pushed ones) and consent decisions per address and minute.
    #[arg(long, env = "RATE_LIMIT_AUTHORIZE", default_value_t = 300)]
    pub rate_limit_authorize: u64,
    /// Token requests per address and minute; also per user, and per client that proved who it is.
    #[arg(long, env = "RATE_LIMIT_TOKEN", default_value_t = 600)]
    pub rate_limit_token: u64,
    /// Public introspection and revocation requests per address and minute; also per client that proved who it is.
    #[arg(long, env = "RATE_LIMIT_INTROSPECT", default_value_t = 600)]
    pub rate_limit_introspect: u64,
    /// Failed client authentications per client, address and minute.
    #[arg(long, env = "RATE_LIMIT_FAILURES", default_value_t = 30)]
    pub rate_limit_failures: u64,
    /// Counts callers on this machine, too. They are let off otherwise: they are developers, or everybody, when a
    /// proxy on this machine is not among the trusted ones.
    #[arg(long, env = "RATE_LIMIT_LOOPBACK", default_value_t = false)]
    pub rate_limit_loopback: bool,
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limited {
    Register,
    Authorize,
    Token,
    Introspect,
    Failures,
}

/// Who is counted. Never something that others share without being the same caller: many people use one public client.
pub(crate) enum Counted<'a> {
    Address(Option<IpAddr>),
    Client(&'a str),
    User(&'a str),
    ClientAt(&'a str, Option<IpAddr>),
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            rate_limit_register: 60,
            rate_limit_authorize: 300,
            rate_limit_token: 600,
            rate_limit_introspect: 600,
            rate_limit_failures: 30,
            rate_limit_loopback: false,
        }
    }
}

impl RateLimits {
    /// The address to count, if it is to be counted.
    pub(crate) fn counted(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        address.filter(|address| self.rate_limit_loopback || !address.to_canonical().is_loopback())
    }

    fn most(&self, limited: Limited) -> u64 {
        match limited {
            Limited::Register => self.rate_limit_register,
            Limited::Authorize => self.rate_limit_authorize,
            Limited::Token => self.rate_limit_token,
            Limited::Introspect => self.rate_limit_introspect,
            Limited::Failures => self.rate_limit_failures,
        }
    }
}

impl Counted<'_> {
    /// `None`: it is not known who asks, so nobody is counted.
    fn bucket(&self, limited: Limited, limits: &RateLimits) -> Option<Key> {
        let network = |address: Option<IpAddr>| limits.counted(address).map(network);
        let who = match self {
            Self::Address(address) => format!("address {}", network(*address)?),
            Self::Client(client) => format!("client {client}"),
            Self::User(user) => format!("user {user}"),
            Self::ClientAt(client, address) => format!("address {} client {client}", network(*address)?),
        };
        let id = SecretHash::of(&format!("{limited:?} {who}"));
        Some(Key::new(Space::Limit, id.as_str()))
    }
}

/// One caller's address: an IPv6 one stands for its /64, which is what a customer gets.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

impl AuthorizationServer {
    /// Counts a request, and refuses it when its caller has asked too often.
    pub(crate) async fn admit(&self, limited: Limited, who: Counted<'_>) -> Result<(), Failure<OAuthError>> {
        let most = self.settings.rate_limits.most(limited);
        let Some(bucket) = who
            .bucket(limited, &self.settings.rate_limits)
            .filter(|_| most > 0)
        else {
            return Ok(());
        };
        let (count, left) = self.vault.store().count(&bucket, MINUTE).await?;
        if count > most {
            Err(Failure::Refused(too_many(left)))
        } else {
            Ok(())
        }
    }

    /// Refuses when that many were counted before; counts nothing.
    pub(crate) async fn admit_after_failures(&self, who: Counted<'_>) -> Result<(), Failure<OAuthError>> {
        let most = self.settings.rate_limits.most(Limited::Failures);
        let Some(bucket) = who
            .bucket(Limited::Failures, &self.settings.rate_limits)
            .filter(|_| most > 0)
        else {
            return Ok(());
        };
        let count = self.vault.store().get(&bucket).await?;
        let count = count
            .and_then(|text| std::str::from_utf8(&text).ok()?.parse::<u64>().ok())
            .unwrap_or(0);
        if count >= most {
            Err(Failure::Refused(too_many(MINUTE)))
        } else {
            Ok(())
        }
    }

    pub(crate) async fn count_failure(&self, who: Counted<'_>) -> Result<(), StoreError> {
        if let Some(bucket) = who.bucket(Limited::Failures, &self.settings.rate_limits) {
            self.vault.store().count(&bucket, MINUTE).await?;
        }
        Ok(())
    }
}

fn too_many(left: Duration) -> OAuthError {
    let mut error = ErrorCode::SlowDown.because("too many requests: wait, then try again");
    // Rounded up: a client that waits as told is let in.
    error.retry_after = Some(Duration::from_secs(left.as_secs() + 1));
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_apart_and_a_network_is_one_caller() {
        let bucket = |text: &str| {
            Counted::Address(Some(text.parse().unwrap()))
                .bucket(Limited::Token, &RateLimits::default())
                .unwrap()
        };
        assert_eq!(bucket("2001:db8::1"), bucket("2001:db8::2"));
        assert_ne!(bucket("2001:db8::1"), bucket("2001:db8:0:1::1"));
        assert_eq!(bucket("::ffff:192.0.2.1"), bucket("192.0.2.1"));
        assert_ne!(bucket("192.0.2.1"), bucket("192.0.2.2"));
        let unknown = Counted::Address(None);
        assert!(unknown.bucket(Limited::Token, &RateLimits::default()).is_none());
        let here = Counted::Address(Some("127.0.0.1".parse().unwrap()));
        assert!(here.bucket(Limited::Token, &RateLimits::default()).is_none());
        let counted = RateLimits {
            rate_limit_loopback: true,
            ..RateLimits::default()
        };
        assert!(here.bucket(Limited::Token, &counted).is_some());
    }
}
