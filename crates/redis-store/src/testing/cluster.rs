use super::{RedisServer, TlsFiles, until};
use crate::{Redis, RedisAddress, slot};

const PASSWORD: &str = "of-the-cluster";
const MASTERS: usize = 3;

/// Three masters, each with a replica if wanted, which takes over within a second or two.
pub struct RedisCluster {
    /// Masters first, then their replicas in the same order, at first.
    pub nodes: Vec<RedisServer>,
    over_tls: bool,
}

impl RedisCluster {
    pub async fn start() -> Self {
        Self::start_with(false, None).await
    }

    pub async fn start_with_replicas() -> Self {
        Self::start_with(true, None).await
    }

    /// With replicas. All of them speak TLS, and are known by name.
    pub async fn start_with_tls(files: &TlsFiles) -> Self {
        Self::start_with(true, Some(files)).await
    }

    async fn start_with(replicas: bool, tls: Option<&TlsFiles>) -> Self {
        let mut arguments = vec![
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "1000",
            // Without replicas too, a master that is away takes only its own slots with it.
            "--cluster-require-full-coverage",
            "no",
            "--requirepass",
            PASSWORD,
            "--masterauth",
            PASSWORD,
            "--save",
            "",
            "--repl-diskless-sync-delay",
            "0",
        ];
        if tls.is_some() {
            arguments.extend(["--tls-cluster", "yes"]);
            arguments.extend(["--cluster-announce-hostname", "localhost"]);
            arguments.extend(["--cluster-preferred-endpoint-type", "hostname"]);
        }
        let count = if replicas { 2 * MASTERS } else { MASTERS };
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(RedisServer::start_over(tls, &arguments).await);
        }
        let over_tls = tls.is_some();
        let started = Self { nodes, over_tls };
        started.form().await;
        started
    }

    /// Shares out the slots and makes the nodes known to each other.
    async fn form(&self) {
        let share = usize::from(slot::SLOTS).div_ceil(MASTERS);
        for (number, node) in self.nodes.iter().enumerate() {
            let epoch = (number + 1).to_string();
            let (): () = node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await;
            if number < MASTERS {
                let first = (number * share).to_string();
                let last = ((number + 1) * share).min(usize::from(slot::SLOTS)) - 1;
                let (): () = node
                    .command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last.to_string()])
                    .await;
            }
            let port = node.public_port().to_string();
            let bus = node.bus_port().to_string();
            for other in &self.nodes[..number] {
                let (): () = other
                    .command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus])
                    .await;
            }
        }
        until("the nodes know each other", async || {
            let mut all = true;
            for node in &self.nodes {
                let known: String = node.command(&["CLUSTER", "NODES"]).await;
                all &= known.lines().count() == self.nodes.len() && !known.contains("handshake");
            }
            all
        })
        .await;
        for (number, replica) in self.nodes.iter().enumerate().skip(MASTERS) {
            let master: String = self.nodes[number - MASTERS].command(&["CLUSTER", "MYID"]).await;
            let (): () = replica.command(&["CLUSTER", "REPLICATE", &master]).await;
        }
        until("the cluster is up", async || {
            let mut all = true;
            for (number, node) in self.nodes.iter().enumerate() {
                let info: String = node.command(&["CLUSTER", "INFO"]).await;
                let replication: String = node.command(&["INFO", "replication"]).await;
                all &= info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384");
                all &= number < MASTERS || replication.contains("master_link_status:up");
            }
            all
        })
        .await;
    }

    /// Names two of the masters.
    pub fn url(&self) -> String {
        let [one, two] = [&self.nodes[0], &self.nodes[1]].map(RedisServer::public_port);
        match self.over_tls {
            true => format!("rediss+cluster://:{PASSWORD}@localhost:{one},localhost:{two}"),
            false => format!("redis+cluster://:{PASSWORD}@127.0.0.1:{one},127.0.0.1:{two}"),
        }
    }

    pub fn address(&self) -> RedisAddress {
        RedisAddress::parse(&self.url()).expect("a valid address")
    }

    /// Durable commands wait for so many replicas.
    pub fn address_waiting_for(&self, replicas: u8) -> RedisAddress {
        RedisAddress {
            wait_replicas: replicas,
            ..self.address()
        }
    }

    pub fn connect(&self) -> Redis {
        Redis::connect(&self.address()).expect("a valid address")
    }

    /// Forgets all data. The first nodes are still the masters.
    pub async fn flush(&self) {
        for node in &self.nodes[..MASTERS] {
            node.flush().await;
        }
    }

    /// The number of the node that owns the slot of this key now, as most nodes see it.
    pub async fn owner_of(&self, key: &str) -> usize {
        let slot = i64::from(slot::of(key.as_bytes()));
        let asked = self.nodes.iter().rev().find(|node| node.pid().is_some());
        type Range = (i64, i64, (String, u16, redis::Value, redis::Value));
        let ranges: Vec<redis::Value> = asked
            .expect("a running node")
            .command(&["CLUSTER", "SLOTS"])
            .await;
        for range in ranges {
            let redis::Value::Array(mut parts) = range else {
                continue;
            };
            parts.truncate(3);
            let (first, last, (_, port, ..)): Range =
                redis::from_redis_value(redis::Value::Array(parts)).expect("a range of slots");
            if (first..=last).contains(&slot) {
                let owner = self.nodes.iter().position(|node| node.port() == port);
                return owner.expect("the owner is one of the nodes");
            }
        }
        panic!("nobody owns the slot of {key}");
    }

    /// Begins to move the slot of this key to the next master: from where to where.
    pub async fn begin_move(&self, key: &str) -> (usize, usize) {
        let from = self.owner_of(key).await;
        let to = (from + 1) % MASTERS;
        let (source, target) = (self.id(from).await, self.id(to).await);
        self.set_slot(to, key, &["IMPORTING", &source]).await;
        self.set_slot(from, key, &["MIGRATING", &target]).await;
        (from, to)
    }

    /// Moves the slot of this key, with what is in it, to the next master.
    pub async fn move_slot(&self, key: &str) {
        let (from, to) = self.begin_move(key).await;
        let slot = slot::of(key.as_bytes()).to_string();
        let port = self.nodes[to].port().to_string();
        loop {
            let keys: Vec<String> = self.nodes[from]
                .command(&["CLUSTER", "GETKEYSINSLOT", &slot, "10"])
                .await;
            if keys.is_empty() {
                break;
            }
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let migrate = [
                "MIGRATE",
                "127.0.0.1",
                &port,
                "",
                "0",
                "2000",
                "AUTH",
                PASSWORD,
                "KEYS",
            ];
            let (): () = self.nodes[from].command(&[&migrate[..], &keys].concat()).await;
        }
        let target = self.id(to).await;
        for node in [to, from] {
            self.set_slot(node, key, &["NODE", &target]).await;
        }
    }

    async fn id(&self, node: usize) -> String {
        self.nodes[node].command(&["CLUSTER", "MYID"]).await
    }

    async fn set_slot(&self, node: usize, key: &str, words: &[&str]) {
        let slot = slot::of(key.as_bytes()).to_string();
        let words = [&["CLUSTER", "SETSLOT", &slot], words].concat();
        let (): () = self.nodes[node].command(&words).await;
    }

    /// Ends the master of this key, and waits until its replica has taken over. Which node it was.
    pub async fn fail_over(&mut self, key: &str) -> usize {
        let dead = self.owner_of(key).await;
        self.nodes[dead].kill();
        until("the replica takes over", async || {
            self.owner_of(key).await != dead
        })
        .await;
        dead
    }
}
