//! Leases of edges, and which calls they run.

use std::time::Duration;

use redis_store::keys::session::{EDGE_LEASES, edge_calls};

use super::{RedisStore, failed};
use crate::{Error, SessionId, StreamName};

impl RedisStore {
    pub(super) async fn edge_renewed(&self, edge: &str, lease: Duration) -> Result<(), Error> {
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

    pub(super) async fn edge_lost(&self, edge: &str) -> Result<(), Error> {
        self.run(self.scripts.edge_lose.key(EDGE_LEASES).arg(edge)).await
    }

    pub(super) async fn edges_lost(&self) -> Result<Vec<String>, Error> {
        self.run(&self.scripts.edges_lost.key(EDGE_LEASES)).await
    }

    pub(super) async fn edge_forgotten(&self, edge: &str) -> Result<(), Error> {
        self.run(
            self.scripts
                .edge_forget
                .key(EDGE_LEASES)
                .key(edge_calls(edge))
                .arg(edge),
        )
        .await
    }

    pub(super) async fn edge_calls(&self, edge: &str) -> Result<Vec<(SessionId, StreamName)>, Error> {
        let mut commands = self.commands.clone();
        let calls: Vec<String> = redis::cmd("ZRANGE")
            .arg(edge_calls(edge))
            .arg(0)
            .arg(-1)
            .query_async(&mut commands)
            .await
            .map_err(failed)?;
        Ok(calls
            .iter()
            .filter_map(|call| {
                let (id, stream) = call.split_once('/')?;
                Some((SessionId::parse(id).ok()?, StreamName::parse(stream).ok()?))
            })
            .collect())
    }

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
