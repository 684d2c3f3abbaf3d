//! Leases of edges, and which calls they run.

use std::time::Duration;

use async_trait::async_trait;
use everything_proto::session::v1::OpenCall;
use redis_store::keys::session::{EDGE_LEASES, edge_calls};

use super::{RedisStore, reply};
use crate::{Error, Position, SessionId, StreamName, store::Edges};

#[async_trait]
impl Edges for RedisStore {
    async fn renew_edge(&self, edge: &str, lease: Duration) -> Result<(), Error> {
        let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        self.run(
            self.scripts
                .edge_renew
                .key(EDGE_LEASES)
                .key(edge_calls(edge))
                .arg(edge)
                .arg(lease),
        )
        .await
    }

    async fn lose_edge(&self, edge: &str) -> Result<(), Error> {
        self.run(self.scripts.edge_lose.key(EDGE_LEASES).arg(edge)).await
    }

    async fn lost_edges(&self) -> Result<Vec<String>, Error> {
        self.run(&self.scripts.edges_lost.key(EDGE_LEASES)).await
    }

    async fn calls_of(&self, edge: &str) -> Result<Vec<(SessionId, StreamName)>, Error> {
        let calls: Vec<String> = self.command("ZRANGE", (edge_calls(edge), 0, -1)).await?;
        Ok(calls
            .iter()
            .filter_map(|call| {
                let (id, stream) = call.split_once('/')?;
                Some((SessionId::parse(id).ok()?, StreamName::parse(stream).ok()?))
            })
            .collect())
    }

    async fn interrupt(
        &self,
        id: &SessionId,
        stream: &StreamName,
        edge: &str,
    ) -> Result<Option<(OpenCall, Position)>, Error> {
        let interrupted: Option<(Vec<u8>, String)> = self
            .keep(
                self.on(&self.scripts.interrupt, id)
                    .arg(stream.as_str())
                    .arg(edge)
                    .arg(self.settings.log_max_entries)
                    .arg(self.settings.log_max_bytes),
            )
            .await?;
        self.call_ended(edge, id, stream).await;
        let Some((call, position)) = interrupted else {
            return Ok(None);
        };
        Ok(Some((
            reply::decode(call.as_slice())?,
            reply::position(&position)?,
        )))
    }

    async fn forget_edge(&self, edge: &str) -> Result<(), Error> {
        self.run(
            self.scripts
                .edge_forget
                .key(EDGE_LEASES)
                .key(edge_calls(edge))
                .arg(edge),
        )
        .await
    }
}

impl RedisStore {
    pub(super) async fn call_opened(
        &self,
        edge: &str,
        id: &SessionId,
        stream: &StreamName,
    ) -> Result<(), Error> {
        self.run(
            self.scripts
                .call_opened
                .key(EDGE_LEASES)
                .key(edge_calls(edge))
                .arg(edge)
                // An edge that never connected is given one time to live to do so.
                .arg(self.ttl_ms())
                .arg(member(id, stream)),
        )
        .await
    }

    /// The call has ended whether or not this succeeds: what is left is found to be over later.
    pub(super) async fn call_ended(&self, edge: &str, id: &SessionId, stream: &StreamName) {
        if let Err(error) = self
            .command::<()>("ZREM", (edge_calls(edge), member(id, stream)))
            .await
        {
            tracing::debug!(%error, "an ended call is still listed");
        }
    }
}

fn member(id: &SessionId, stream: &StreamName) -> String {
    format!("{}/{}", id.as_str(), stream.as_str())
}
