use std::sync::Arc;

use redis::{
    Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value, aio::ConnectionLike, make_extension_error,
};

use crate::{
    cluster::{Call, Cluster},
    group::Group,
    link::{Link, Peer},
    observe::{Meter, Observed, Operation},
};

/// How long the replicas may take to confirm a write, ms. Less than the deadline of a command.
const WAIT_MS: u64 = 1_000;

/// Where commands go.
#[derive(Clone)]
pub(crate) enum Route {
    /// To one server, or to the master that sentinels name.
    One(Link),
    /// To whoever owns the slot.
    Cluster(Cluster),
}

/// The connection for commands, or with a cluster one per master. Each command has a deadline. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    route: Route,
    meter: Arc<Meter>,
    db: i64,
    wait_replicas: u8,
    /// Where there is one server, what waits for its replicas waits together.
    group: Option<Group>,
}

impl Commands {
    pub(crate) fn new(route: Route, meter: Arc<Meter>, db: i64) -> Self {
        Self {
            route,
            meter,
            db,
            wait_replicas: 0,
            group: None,
        }
    }

    /// Each command succeeds only once so many replicas have it.
    pub(crate) fn waiting_for(self, wait_replicas: u8) -> Self {
        let group = match &self.route {
            Route::One(link) => Some(Group::new(link.clone(), wait_for(wait_replicas))),
            Route::Cluster(_) => None,
        };
        Self {
            wait_replicas,
            group,
            ..self
        }
    }

    pub(crate) fn route(&self) -> &Route {
        &self.route
    }

    pub(crate) async fn script(&self, name: &'static str, command: &Cmd) -> RedisResult<Value> {
        self.one(command, Some(name)).await?.extract_error()
    }

    async fn one(&self, command: &Cmd, script: Option<&'static str>) -> RedisResult<Value> {
        let operation = Operation::command(command, script);
        let values = match (&self.group, self.wait_replicas) {
            (_, 0) => self.call(&Call::One(command), &operation).await?,
            (Some(group), _) => self.observed(&operation, group.send(command.clone())).await?,
            (None, replicas) => {
                let mut pipeline = redis::pipe();
                pipeline.add_command(command.clone());
                pipeline.add_command(wait_for(replicas));
                let call = Call::Many {
                    pipeline: &pipeline,
                    offset: 0,
                    count: 2,
                };
                self.call(&call, &operation).await?
            }
        };
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (Some(Value::ServerError(error)), _) => Ok(Value::ServerError(error)),
            (Some(_), Some(Value::Int(confirmed))) if confirmed < i64::from(self.wait_replicas) => {
                Err(too_few_replicas())
            }
            (Some(value), _) => Ok(value),
            (None, _) => Ok(Value::Nil),
        }
    }

    async fn call(&self, call: &Call<'_>, operation: &Operation) -> RedisResult<Vec<Value>> {
        self.observed(operation, self.send(call)).await
    }

    async fn observed(
        &self,
        operation: &Operation,
        sent: impl Future<Output = (Option<Peer>, RedisResult<Vec<Value>>)>,
    ) -> RedisResult<Vec<Value>> {
        let observed = Observed::begin(operation, &self.meter, self.db);
        let (peer, outcome) = sent.await;
        if let Some(peer) = peer {
            observed.sent_to(&peer);
        }
        observed.answered(outcome.as_ref().map(Vec::as_slice));
        outcome
    }

    async fn send(&self, call: &Call<'_>) -> (Option<Peer>, RedisResult<Vec<Value>>) {
        match &self.route {
            Route::One(link) => match link.live().await {
                Ok(live) => (Some(live.peer.clone()), call.send(link, &live).await),
                Err(error) => (None, Err(error)),
            },
            Route::Cluster(cluster) => cluster.send(call).await,
        }
    }
}

impl ConnectionLike for Commands {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(self.one(command, None))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let call = Call::Many {
                pipeline,
                offset,
                count,
            };
            self.call(&call, &Operation::batch(pipeline)).await
        })
    }

    fn get_db(&self) -> i64 {
        self.db
    }
}

fn wait_for(replicas: u8) -> Cmd {
    let mut wait = redis::cmd("WAIT");
    wait.arg(replicas).arg(WAIT_MS);
    wait
}

pub(crate) fn too_few_replicas() -> RedisError {
    make_extension_error(
        "NOREPLICAS".to_owned(),
        Some("a write was not confirmed by enough replicas in time".to_owned()),
    )
}
