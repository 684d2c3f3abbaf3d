//! Leases of edges, and which calls they run.

use std::time::Duration;

use async_trait::async_trait;
use redis_store::keys::session::{EDGE_LEASES, edge_calls};

use super::{
    RedisStore,
    reply::{self, BuriedReply, tri},
};
use crate::{
    Error, SessionId, StreamName, UserId,
    store::{Edges, Fate, NOBODY, TakenOver},
};

#[async_trait]
impl Edges for RedisStore {
    async fn renew_edge(&self, edge: &str, lease: Duration) -> Result<(), Error> {
        self.run(
            self.scripts
                .edge_renew
                .key(EDGE_LEASES)
                .key(edge_calls(edge))
                .arg(edge)
                .arg(millis(lease)),
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

    async fn has_other_edge(&self, edge: &str) -> Result<bool, Error> {
        self.run(self.scripts.edge_others.key(EDGE_LEASES).arg(edge))
            .await
    }

    async fn bury(
        &self,
        id: &SessionId,
        call: &StreamName,
        edge: &str,
        to: Option<&str>,
    ) -> Result<Fate, Error> {
        if let Some(to) = to {
            // Noted before it is taken: a call that nobody would find could never be ended.
            self.call_opened(to, id, call).await?;
        }
        let mut invocation = self.on(&self.scripts.bury, id);
        invocation
            .arg(call.as_str())
            .arg(edge)
            .arg(to.unwrap_or_default());
        let buried: BuriedReply = self.keep(self.bound(&mut invocation)).await?;
        let fate = match buried.0.as_str() {
            "waiting" => return Ok(Fate::Waiting),
            "interrupted" => Fate::Interrupted(reply::position(&buried.1)?),
            "taken" => Fate::TakenOver(reply::taken_over(to.unwrap_or_default(), buried)?),
            _ => Fate::NotOpen,
        };
        self.call_ended(edge, id, call).await;
        // Otherwise it may be that edge's all the same: another replica was faster.
        if let (Some(to), Fate::Interrupted(_)) = (to, &fate) {
            self.call_ended(to, id, call).await;
        }
        Ok(fate)
    }

    async fn taken_over(
        &self,
        id: &SessionId,
        call: &StreamName,
        edge: &str,
    ) -> Result<Option<TakenOver>, Error> {
        let taken: BuriedReply = self
            .run(self.on(&self.scripts.taken_over, id).arg(call.as_str()).arg(edge))
            .await?;
        match taken.0.as_str() {
            "taken" => reply::taken_over(edge, taken).map(Some),
            _ => Ok(None),
        }
    }

    async fn hand_over(
        &self,
        id: &SessionId,
        user: &UserId,
        call: &StreamName,
        edge: &str,
    ) -> Result<bool, Error> {
        self.call_opened(NOBODY, id, call).await?;
        self.lose_edge(NOBODY).await?;
        let handed_over = tri(self
            .keep(
                self.owned(&self.scripts.hand_over, id, user)
                    .arg(call.as_str())
                    .arg(edge)
                    .arg(NOBODY),
            )
            .await?)?;
        if handed_over {
            // Whoever looked at it in between found nothing to take, and crossed it out.
            self.call_opened(NOBODY, id, call).await?;
            self.lose_edge(NOBODY).await?;
            self.call_ended(edge, id, call).await;
        } else {
            self.call_ended(NOBODY, id, call).await;
        }
        Ok(handed_over)
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
                .arg(millis(self.settings.first_lease))
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

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn member(id: &SessionId, stream: &StreamName) -> String {
    format!("{}/{}", id.as_str(), stream.as_str())
}
