use std::fmt;

use clap::Args;
use url::Url;

use crate::Error;

/// Where Redis is. Either `REDIS_URL`, or the parts; none of them: no Redis.
#[derive(Args, Clone, Default)]
pub struct RedisArgs {
    /// `redis://[user:password@]host:port[/db]`, or `rediss://` for TLS. Wins over the separate parts.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// Host name of Redis.
    #[arg(long, env = "REDIS_HOST")]
    pub redis_host: Option<String>,
    /// Port of Redis; 6379 where it is not set.
    #[arg(long, env = "REDIS_PORT")]
    pub redis_port: Option<u16>,
    /// Password of Redis.
    #[arg(long, env = "REDIS_PASSWORD", hide_env_values = true)]
    pub redis_password: Option<String>,
    /// Speak TLS to Redis.
    #[arg(long, env = "REDIS_TLS", default_value_t = false)]
    pub redis_tls: bool,
}

impl fmt::Debug for RedisArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisArgs").finish_non_exhaustive()
    }
}

impl RedisArgs {
    /// The configured address; `None` where nothing is set.
    pub fn address(&self) -> Result<Option<RedisAddress>, Error> {
        if let Some(url) = self.redis_url.as_deref().filter(|url| !url.is_empty()) {
            return RedisAddress::parse(url).map(Some);
        }
        let Some(host) = self.redis_host.as_deref().filter(|host| !host.is_empty()) else {
            return Ok(None);
        };
        let scheme = if self.redis_tls { "rediss" } else { "redis" };
        let port = self.redis_port.unwrap_or(6379);
        let mut url = Url::parse(&format!("{scheme}://{host}:{port}"))
            .map_err(|error| Error::Address(format!("REDIS_HOST: {error}")))?;
        if let Some(password) = self
            .redis_password
            .as_deref()
            .filter(|password| !password.is_empty())
        {
            _ = url.set_password(Some(password));
        }
        RedisAddress::parse(url.as_str()).map(Some)
    }
}

/// A checked Redis address. Its `Debug` and `Display` show no credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisAddress(Url);

impl RedisAddress {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text).map_err(|error| Error::Address(error.to_string()))?;
        if !matches!(url.scheme(), "redis" | "rediss") {
            return Err(Error::Address("it begins with redis:// or rediss://".to_owned()));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(Error::Address("it names no host".to_owned()));
        }
        Ok(Self(url))
    }

    pub(crate) fn client(&self) -> Result<redis::Client, Error> {
        redis::Client::open(self.0.as_str()).map_err(|error| Error::Address(error.category().to_owned()))
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}",
            self.0.scheme(),
            self.0.host_str().unwrap_or_default()
        )?;
        match self.0.port() {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_an_address_and_the_password_stays_hidden() {
        let args = RedisArgs {
            redis_host: Some("cache".to_owned()),
            redis_password: Some("p@ss/word".to_owned()),
            redis_tls: true,
            ..RedisArgs::default()
        };
        let address = args.address().unwrap().unwrap();
        assert_eq!(address.0.as_str(), "rediss://:p%40ss%2Fword@cache:6379");
        assert_eq!(
            format!("{address} {address:?}"),
            "rediss://cache:6379 rediss://cache:6379"
        );
        assert!(!format!("{args:?}").contains("word"));
    }

    #[test]
    fn nothing_set_is_no_redis_and_nonsense_is_refused() {
        assert_eq!(RedisArgs::default().address(), Ok(None));
        for bad in ["cache:6379", "http://cache", "redis://"] {
            assert!(RedisAddress::parse(bad).is_err(), "{bad:?}");
        }
    }
}
