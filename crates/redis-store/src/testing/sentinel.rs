use super::{RedisServer, TlsFiles, until};
use crate::{Redis, RedisAddress};

const SERVICE: &str = "main";
const PASSWORD: &str = "of-the-data";
const SENTINEL_PASSWORD: &str = "of-the-sentinels";

/// A master and a replica, watched by three sentinels that replace the master within three seconds or so. Sooner, a busy one
/// would be taken for dead, and everything be lost if the other one has just begun to copy it. Both kinds ask for passwords.
pub struct RedisSentinel {
    /// The master is the first, at first.
    pub servers: Vec<RedisServer>,
    pub sentinels: Vec<RedisServer>,
    over_tls: bool,
}

impl RedisSentinel {
    pub async fn start() -> Self {
        Self::start_over(None).await
    }

    /// All of them speak TLS, and are known by name.
    pub async fn start_with_tls(files: &TlsFiles) -> Self {
        Self::start_over(Some(files)).await
    }

    async fn start_over(tls: Option<&TlsFiles>) -> Self {
        let host = host(tls.is_some());
        let credentials = ["--requirepass", PASSWORD, "--masterauth", PASSWORD];
        let quick = [
            "--save",
            "",
            "--repl-diskless-sync-delay",
            "0",
            "--repl-ping-replica-period",
            "1",
            "--replica-announce-ip",
            host,
        ];
        let master = RedisServer::start_over(tls, &[&credentials[..], &quick].concat()).await;
        let port = master.public_port();
        let of = format!("{host} {port}");
        let replica = [&credentials[..], &quick, &["--replicaof", &of]].concat();
        let replica = RedisServer::start_over(tls, &replica).await;
        until("the replica follows", async || {
            let info: String = replica.command(&["INFO", "replication"]).await;
            info.contains("master_link_status:up")
        })
        .await;
        let settings = format!(
            "sentinel resolve-hostnames yes\n\
             sentinel announce-hostnames yes\n\
             requirepass {SENTINEL_PASSWORD}\n\
             sentinel sentinel-pass {SENTINEL_PASSWORD}\n\
             sentinel monitor {SERVICE} {of} 2\n\
             sentinel auth-pass {SERVICE} {PASSWORD}\n\
             sentinel down-after-milliseconds {SERVICE} 2000\n\
             sentinel failover-timeout {SERVICE} 3000\n"
        );
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(RedisServer::start_sentinel(tls, &settings, SENTINEL_PASSWORD).await);
        }
        let started = Self {
            servers: vec![master, replica],
            sentinels,
            over_tls: tls.is_some(),
        };
        until("the sentinels know each other and the replica", async || {
            let mut all = true;
            for sentinel in &started.sentinels {
                let state: Vec<String> = sentinel.command(&["SENTINEL", "MASTER", SERVICE]).await;
                let field = |name| {
                    state
                        .iter()
                        .position(|word| word == name)
                        .map(|at| state[at + 1].as_str())
                };
                all &= field("num-other-sentinels") == Some("2") && field("num-slaves") == Some("1");
            }
            all
        })
        .await;
        started
    }

    /// With the password of the data; that of the sentinels is [`RedisSentinel::password`].
    pub fn url(&self) -> String {
        let scheme = if self.over_tls { "rediss" } else { "redis" };
        let host = host(self.over_tls);
        let hosts: Vec<String> = self
            .sentinels
            .iter()
            .map(|sentinel| format!("{host}:{}", sentinel.public_port()))
            .collect();
        format!("{scheme}+sentinel://:{PASSWORD}@{}/{SERVICE}", hosts.join(","))
    }

    pub fn password(&self) -> &'static str {
        SENTINEL_PASSWORD
    }

    pub fn address(&self) -> RedisAddress {
        self.address_waiting_for(0)
    }

    /// Durable commands wait for so many replicas.
    pub fn address_waiting_for(&self, replicas: u8) -> RedisAddress {
        let args = crate::RedisArgs {
            redis_url: Some(self.url()),
            redis_sentinel_password: Some(SENTINEL_PASSWORD.to_owned()),
            redis_wait_replicas: replicas,
            ..crate::RedisArgs::default()
        };
        args.address().expect("a valid address").expect("an address")
    }

    pub fn connect(&self) -> Redis {
        Redis::connect(&self.address()).expect("a valid address")
    }

    /// Forgets all data. The first server is still the master.
    pub async fn flush(&self) {
        self.servers[0].flush().await;
    }

    /// The port of the master that the sentinels agree on.
    pub async fn master_port(&self) -> u16 {
        let command = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE];
        let (_, port): (String, u16) = self.sentinels[0].command(&command).await;
        port
    }

    pub async fn master(&mut self) -> &mut RedisServer {
        let port = self.master_port().await;
        let master = self
            .servers
            .iter_mut()
            .find(|server| server.public_port() == port);
        master.expect("the master is one of the servers")
    }

    /// Starts those again that were killed, as replicas of whoever is the master now. They have lost their data: one that
    /// came back as a master would be taken for one by sentinels that have not heard of the new one.
    pub async fn restart_killed(&mut self) {
        let host = host(self.over_tls);
        let master = format!("{host} {}", self.master_port().await);
        for server in &mut self.servers {
            if server.pid().is_none() {
                server.restart_with(&["--replicaof", &master]);
                server.answers().await;
            }
        }
    }

    /// Until the sentinels name another master than this.
    pub async fn failed_over_from(&self, port: u16) {
        until("another master", async || self.master_port().await != port).await;
    }
}

/// How servers are known to each other and to clients: certificates hold names.
fn host(over_tls: bool) -> &'static str {
    if over_tls { "localhost" } else { "127.0.0.1" }
}
