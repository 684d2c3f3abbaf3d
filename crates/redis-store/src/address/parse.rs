use redis::{Client, ConnectionInfo, IntoConnectionInfo};
use url::Url;

use super::{RedisAddress, SentinelLogin, Topology};
use crate::Error;

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

impl RedisAddress {
    /// Reads a URL as [`RedisArgs`](crate::RedisArgs) describes them. `redis-sentinel` and `redis-cluster`, which other
    /// clients write, mean the same as with a plus sign.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |why: &str| Error::Address(why.to_owned());
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| bad("it begins with no scheme"))?;
        let (plain, kind) = scheme.split_once(['+', '-']).unwrap_or((scheme, ""));
        if !matches!(plain, "redis" | "rediss") {
            return Err(bad("it begins with redis:// or rediss://"));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (format!("{login}@"), hosts),
            None => (String::new(), authority),
        };
        let (topology, db, default_port) = match kind {
            "" => (Topology::Single, path, REDIS_PORT),
            "sentinel" => {
                let (service, db) = path.split_once('/').unwrap_or((path, ""));
                if service.is_empty() {
                    return Err(bad("it names no service: redis+sentinel://host:port/service"));
                }
                let service = service.to_owned();
                (Topology::Sentinel { service }, db, SENTINEL_PORT)
            }
            "cluster" if matches!(path, "" | "0") => (Topology::Cluster, "", REDIS_PORT),
            "cluster" => return Err(bad("a cluster has only database 0")),
            _ => return Err(bad("it is neither +sentinel nor +cluster")),
        };
        if topology == Topology::Single && hosts.contains(',') {
            return Err(bad(
                "several hosts are sentinels or a cluster: redis+sentinel:// or redis+cluster://",
            ));
        }
        let node = |host: &str| {
            let mut url = Url::parse(&format!("{plain}://{login}{host}/{db}"))
                .map_err(|error| Error::Address(error.to_string()))?;
            if url.host_str().is_none_or(str::is_empty) {
                return Err(bad("it names no host"));
            }
            if topology != Topology::Single && url.port().is_none() {
                _ = url.set_port(Some(default_port));
            }
            if db.is_empty() {
                url.set_path("");
            }
            Client::open(url.as_str()).map_err(|error| bad(error.category()))?;
            Ok(url)
        };
        Ok(Self {
            nodes: hosts.split(',').map(node).collect::<Result<_, _>>()?,
            topology,
            sentinel_login: SentinelLogin::default(),
            wait_replicas: 0,
        })
    }

    /// How to reach each of the nodes that the address names.
    pub(crate) fn connections(&self) -> Result<Vec<ConnectionInfo>, Error> {
        let info = |url: &Url| url.as_str().into_connection_info();
        let infos: Result<_, redis::RedisError> = self.nodes.iter().map(info).collect();
        infos.map_err(|error| Error::Address(error.category().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topology_has_its_url() {
        let parse = |text| RedisAddress::parse(text).unwrap();
        let single = parse("rediss://u:p@cache/2");
        assert_eq!(
            (single.topology.clone(), single.nodes.len()),
            (Topology::Single, 1)
        );
        assert_eq!(single.connections().unwrap()[0].redis_settings().db(), 2);

        let sentinel = parse("redis+sentinel://u:p%2F@one:1,two/main/3");
        let service = "main".to_owned();
        assert_eq!(sentinel.topology, Topology::Sentinel { service });
        assert_eq!(sentinel.to_string(), "redis+sentinel://one:1,two:26379/main");
        let settings = sentinel.connections().unwrap()[1].redis_settings().clone();
        assert_eq!(
            (settings.username(), settings.password(), settings.db()),
            (Some("u"), Some("p/"), 3)
        );

        let cluster = parse("rediss-cluster://:p@one,two:2");
        assert_eq!(cluster.topology, Topology::Cluster);
        assert_eq!(cluster.to_string(), "rediss+cluster://one:6379,two:2");
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "cache:6379",
            "http://cache",
            "redis://",
            "redis://a,b",
            "redis+sentinel://a",
            "redis+sentinel:///main",
            "redis+cluster://a/1",
            "redis+cluster://a,,b",
            "redis+galaxy://a",
            "redis://a/not-a-number",
        ] {
            assert!(RedisAddress::parse(bad).is_err(), "{bad:?}");
        }
    }
}
