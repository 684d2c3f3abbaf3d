//! Calls whose edge is gone and that this edge runs again: the session service says which, over the link.
//!
//! Everything that such a call says goes into its log. Its client is, or will be, attached to that, at whichever edge.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use everything_proto::session::v1::{CallTakenOver, OpenCall};
use futures::future::join_all;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::{
    Mcp,
    exchange::{Described, Description, Exchange, Repeats},
    operation::Operation,
    post::{Job, serve},
    refusal::HttpRefusal,
    sessions::{ActiveSession, NoSession},
};
use crate::{
    Principal,
    jsonrpc::{self, RequestId, RpcError},
    revisions::{self, ClientRequest, RequestMeta},
};

/// Between two tries to read the session of a call.
const RETRY: Duration = Duration::from_secs(1);

/// A request of the call, or the error that answers it.
type Read = Result<(RequestId, String, ClientRequest, RequestMeta, Operation), (Option<RequestId>, RpcError)>;

/// The calls that this edge has taken over.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<HashSet<String>>>);

impl Running {
    fn table(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs what `calls` brings, until the edge stops.
pub async fn run(mcp: Mcp, mut calls: mpsc::Receiver<CallTakenOver>) {
    let running = Running::default();
    let stopped = mcp.leaving.stopped().clone();
    while let Some(Some(taken)) = stopped.run_until_cancelled(calls.recv()).await {
        let stream = taken.stream.clone();
        // Said once more on every new link.
        if !running.table().insert(stream.clone()) {
            continue;
        }
        let (mcp, running) = (mcp.clone(), running.clone());
        tokio::spawn(async move {
            let stopped = mcp.leaving.stopped().clone();
            stopped.run_until_cancelled(run_one(&mcp, taken)).await;
            running.table().remove(&stream);
        });
    }
}

async fn run_one(mcp: &Mcp, taken: CallTakenOver) {
    let OpenCall {
        requests,
        client_id,
        scopes,
        ..
    } = taken.call.unwrap_or_default();
    let principal = Principal {
        user_id: taken.user_id.into(),
        client_id: client_id.into(),
        scopes: scopes.into(),
    };
    let Some(session) = session(mcp, &taken.session_id, &principal).await else {
        return;
    };
    tracing::info!(call = taken.stream, "running a call again whose edge is gone");
    // One of the 2024-11-05 transport may not have begun.
    let revision = session.revision.unwrap_or_else(revisions::newest_with_sessions);
    let mut described = Vec::with_capacity(requests.len());
    let mut read: Vec<Read> = Vec::with_capacity(requests.len());
    for request in requests {
        let Ok(id) = RequestId::from_json(&request.request_id_json) else {
            read.push(Err((None, RpcError::internal("the request's id cannot be read"))));
            continue;
        };
        let params: Option<Box<RawValue>> = serde_json::from_slice(&request.params_json).ok();
        match revision.request(&request.method, params.as_deref()) {
            Ok((asked, meta)) => {
                let operation = Operation::taken_over(&request.method, params.as_deref());
                described.push(Described {
                    id: id.clone(),
                    method: request.method.clone(),
                    params,
                    repeats: Repeats::of(&asked),
                });
                read.push(Ok((id, request.method, asked, meta, operation)));
            }
            Err(error) => read.push(Err((Some(id), error))),
        }
    }
    let description = Description {
        mcp: mcp.clone(),
        principal: principal.clone(),
        revision,
        requests: described,
    };
    let exchange = Exchange::taken_over(session.clone(), description, taken.stream, read.len());
    for question in taken.asked {
        let cancelled = revision.cancelled(&question, Some("the server asks again"));
        _ = exchange.notify(cancelled).await;
    }
    let mut serving = Vec::with_capacity(read.len());
    for request in read {
        let (id, method, request, meta, operation) = match request {
            Ok(request) => request,
            Err((id, error)) => {
                let response = jsonrpc::error(id.as_ref(), &error);
                exchange.respond(id.as_ref(), response).await;
                continue;
            }
        };
        match mcp.in_flight.begin(&session.session_id, &session.user_id, &id) {
            Ok(working) => {
                let operation = operation
                    .with_id(&id)
                    .in_revision(revision.version())
                    .in_session(&session.session_id);
                let job = Job {
                    principal: principal.clone(),
                    session: session.clone(),
                    revision,
                    id,
                    method,
                    request,
                    meta,
                    working,
                    operation,
                    told: taken.progress,
                };
                serving.push(serve(mcp.clone(), job, exchange.clone()));
            }
            Err(refused) => {
                let response = jsonrpc::error(Some(&id), &HttpRefusal::from(refused).error);
                exchange.respond(Some(&id), response).await;
            }
        }
    }
    join_all(serving).await;
}

/// None: it is over, and the call with it.
async fn session(mcp: &Mcp, session_id: &str, principal: &Principal) -> Option<Arc<ActiveSession>> {
    loop {
        match mcp.sessions.get(session_id, principal).await {
            Ok(session) => return Some(session),
            Err(NoSession::NotFound) => return None,
            Err(NoSession::Fault(_)) => tokio::time::sleep(RETRY).await,
        }
    }
}
