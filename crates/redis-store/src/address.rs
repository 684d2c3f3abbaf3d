use std::fmt;

use clap::Args;
use url::Url;

use crate::Error;

mod parse;

/// Where Redis is. Either `REDIS_URL`, or the parts; none of them: no Redis.
#[derive(Args, Clone, Default)]
pub struct RedisArgs {
    /// One server, `redis://[user:password@]host[:port][/db]`; a master by its sentinels,
    /// `redis+sentinel://[user:password@]host[:port],…/service[/db]`; or a cluster, `redis+cluster://[user:password@]host[:port],…`.
    /// `rediss` in place of `redis` for TLS. Wins over the separate parts.
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
    /// User name for the sentinels themselves, where they ask for one.
    #[arg(long, env = "REDIS_SENTINEL_USERNAME")]
    pub redis_sentinel_username: Option<String>,
    /// Password for the sentinels themselves; that of the master stands in the URL.
    #[arg(long, env = "REDIS_SENTINEL_PASSWORD", hide_env_values = true)]
    pub redis_sentinel_password: Option<String>,
    /// Replicas that must have received a logged event before it is acknowledged (`WAIT`). With 0, a failover can lose what
    /// was acknowledged in the last moments before it.
    #[arg(long, env = "REDIS_WAIT_REPLICAS", default_value_t = 0)]
    pub redis_wait_replicas: u8,
}

/// A checked Redis address, and what belongs to it. Its `Debug` and `Display` show no credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisAddress {
    pub(crate) topology: Topology,
    /// At least one. `redis://` or `rediss://`, each with the credentials of Redis.
    pub(crate) nodes: Vec<Url>,
    pub(crate) sentinel_login: SentinelLogin,
    pub(crate) wait_replicas: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    /// One server, or a name behind which there is always one.
    Single,
    /// The nodes are sentinels, which know the master.
    Sentinel { service: String },
    /// The nodes are any of the cluster's.
    Cluster,
}

#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct SentinelLogin {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
}

impl fmt::Debug for RedisArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisArgs").finish_non_exhaustive()
    }
}

impl RedisArgs {
    /// The configured address; `None` where nothing is set.
    pub fn address(&self) -> Result<Option<RedisAddress>, Error> {
        let set = |setting: &Option<String>| setting.clone().filter(|value| !value.is_empty());
        let address = match (set(&self.redis_url), set(&self.redis_host)) {
            (Some(url), _) => RedisAddress::parse(&url)?,
            (None, Some(host)) => self.of_parts(&host)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(RedisAddress {
            sentinel_login: SentinelLogin {
                username: set(&self.redis_sentinel_username),
                password: set(&self.redis_sentinel_password),
            },
            wait_replicas: self.redis_wait_replicas,
            ..address
        }))
    }

    fn of_parts(&self, host: &str) -> Result<RedisAddress, Error> {
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
        RedisAddress::parse(url.as_str())
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.topology {
            Topology::Single => "",
            Topology::Sentinel { .. } => "+sentinel",
            Topology::Cluster => "+cluster",
        };
        for (number, node) in self.nodes.iter().enumerate() {
            match number {
                0 => write!(f, "{}{kind}://", node.scheme())?,
                _ => f.write_str(",")?,
            }
            f.write_str(node.host_str().unwrap_or_default())?;
            if let Some(port) = node.port() {
                write!(f, ":{port}")?;
            }
        }
        match &self.topology {
            Topology::Sentinel { service } => write!(f, "/{service}"),
            Topology::Single | Topology::Cluster => Ok(()),
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
        assert_eq!(address.nodes[0].as_str(), "rediss://:p%40ss%2Fword@cache:6379");
        assert_eq!(
            format!("{address} {address:?}"),
            "rediss://cache:6379 rediss://cache:6379"
        );
        assert!(!format!("{args:?}").contains("word"));
    }

    #[test]
    fn nothing_set_is_no_redis_and_what_belongs_to_it_is_kept() {
        assert_eq!(RedisArgs::default().address(), Ok(None));
        let args = RedisArgs {
            redis_url: Some("redis+sentinel://a,b/main".to_owned()),
            redis_sentinel_password: Some("s3".to_owned()),
            redis_wait_replicas: 1,
            ..RedisArgs::default()
        };
        let address = args.address().unwrap().unwrap();
        assert_eq!(address.sentinel_login.password.as_deref(), Some("s3"));
        assert_eq!(address.wait_replicas, 1);
    }
}
