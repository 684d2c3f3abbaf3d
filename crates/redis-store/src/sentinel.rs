//! Who the master is, by the sentinels that watch it.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, RedisConnectionInfo, RedisError, RedisResult,
};
use tokio::sync::watch;

use crate::{address::SentinelLogin, link::Peer};

/// One sentinel that is away must not hold up the others' answers for longer than this.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// A master that was replaced without closing its connections, as one that is cut off, is left after this.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

pub(crate) struct Sentinels {
    service: String,
    sentinels: Vec<ConnectionInfo>,
    /// How the master is reached, wherever it is.
    template: ConnectionInfo,
    master: watch::Sender<Option<Peer>>,
}

impl Sentinels {
    /// `nodes` carry the credentials of the master. Must be called within a Tokio runtime; its task ends with it.
    pub(crate) fn start(service: String, nodes: &[ConnectionInfo], login: &SentinelLogin) -> Arc<Self> {
        let mut settings = RedisConnectionInfo::default();
        if let Some(username) = &login.username {
            settings = settings.set_username(username);
        }
        if let Some(password) = &login.password {
            settings = settings.set_password(password);
        }
        let sentinels = Arc::new(Self {
            service,
            sentinels: nodes
                .iter()
                .map(|node| node.clone().set_redis_settings(settings.clone()))
                .collect(),
            template: nodes[0].clone(),
            master: watch::Sender::new(None),
        });
        tokio::spawn(poll(Arc::downgrade(&sentinels)));
        sentinels
    }

    /// Asks the sentinels.
    pub(crate) async fn master(&self) -> RedisResult<ConnectionInfo> {
        let peer = self.ask().await?;
        self.note(&peer);
        Ok(peer.reached_like(&self.template))
    }

    /// Who the master was when the sentinels were last asked.
    pub(crate) fn known(&self) -> Option<Peer> {
        self.master.borrow().clone()
    }

    fn note(&self, peer: &Peer) {
        self.master.send_if_modified(|known| {
            let changed = known.as_ref() != Some(peer);
            if changed {
                if known.is_some() {
                    tracing::info!(host = %peer.host, port = peer.port, "redis has a new master");
                }
                *known = Some(peer.clone());
            }
            changed
        });
    }

    /// What most of them say. While a failover spreads, some still name the old master.
    async fn ask(&self) -> RedisResult<Peer> {
        let mut answers: FuturesUnordered<_> = self
            .sentinels
            .iter()
            .map(|sentinel| self.ask_one(sentinel))
            .collect();
        let mut votes: HashMap<Peer, usize> = HashMap::new();
        let mut failure = None;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(peer) => {
                    let count = votes.entry(peer.clone()).or_default();
                    *count += 1;
                    if *count * 2 > self.sentinels.len() {
                        return Ok(peer);
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        let named = votes.into_iter().max_by_key(|(_, count)| *count);
        named
            .map(|(peer, _)| peer)
            .ok_or_else(|| failure.unwrap_or_else(no_master))
    }

    async fn ask_one(&self, sentinel: &ConnectionInfo) -> RedisResult<Peer> {
        let asked = async {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(ANSWER_TIMEOUT))
                .set_response_timeout(Some(ANSWER_TIMEOUT));
            let client = Client::open(sentinel.clone())?;
            let mut connection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            let mut command = redis::cmd("SENTINEL");
            command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.service);
            let address: Option<(String, u16)> = command.query_async(&mut connection).await?;
            let (host, port) = address.ok_or_else(no_master)?;
            Ok(Peer::new(&host, port))
        };
        tokio::time::timeout(ANSWER_TIMEOUT, asked)
            .await
            .map_err(|_| crate::link::timed_out())?
    }
}

fn no_master() -> RedisError {
    (
        ErrorKind::MasterNameNotFoundBySentinel,
        "no sentinel knows a master of this name",
    )
        .into()
}

async fn poll(sentinels: Weak<Sentinels>) {
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        let Some(sentinels) = sentinels.upgrade() else {
            return;
        };
        // Before the first use there is nothing to keep up with.
        if sentinels.known().is_some()
            && let Ok(peer) = sentinels.ask().await
        {
            sentinels.note(&peer);
        }
    }
}
