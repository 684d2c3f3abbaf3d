//! `POST /message?sessionId=…`: messages of a client of the 2024-11-05 transport. Answers go onto its `/sse` stream.

use std::sync::Arc;

use axum::{
    extract::{Query, State as Extract, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    exchange::{Described, Description, Exchange, NotSent, Repeats},
    headers,
    operation::{Carrier, Operation},
    post::{INSUFFICIENT_SCOPE, Job, serve, take_unanswered},
    refusal::HttpRefusal,
    requests::Failure,
    scopes,
    sessions::{ActiveSession, NoSession},
};
use crate::{
    Principal, State,
    authentication::challenge,
    error::Fault,
    jsonrpc::{self, Incoming, Message, RequestId, RpcError},
    revisions::{self, ClientRequest},
};

#[derive(Deserialize)]
pub struct Address {
    #[serde(rename = "sessionId")]
    session_id: Option<String>,
}

pub async fn legacy_message(
    Extract(state): Extract<State>,
    principal: Principal,
    carrier: Carrier,
    address: Result<Query<Address>, QueryRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, HttpRefusal> {
    headers::require_json(&headers)?;
    let Some(session_id) = address.ok().and_then(|Query(address)| address.session_id) else {
        let sentence = "sessionId is required; GET /sse names the address to post to";
        return Err(HttpRefusal::bad_request(RpcError::invalid_request(sentence)));
    };
    let session = state.mcp.sessions.get(&session_id, &principal).await?;
    let messages = match jsonrpc::parse(&body)? {
        Incoming::Single(message) => vec![Ok(message)],
        Incoming::Batch(messages)
            if session
                .revision
                .is_some_and(revisions::WithSessions::accepts_batches) =>
        {
            messages
        }
        Incoming::Batch(_) => {
            let sentence = "this revision has no JSON-RPC batches; send each message on its own";
            return Err(HttpRefusal::bad_request(RpcError::invalid_request(sentence)));
        }
    };
    for message in messages {
        match message {
            Ok(Message::Request { id, method, params }) => {
                let operation = Operation::of_client(&carrier, &method, params.as_deref())
                    .with_id(&id)
                    .in_session(&session.session_id);
                let taken = Taken {
                    id,
                    method,
                    params,
                    operation,
                };
                if let Some(refused) = take_up(&state, &principal, &session, taken).await? {
                    return Ok(refused);
                }
            }
            Ok(message) => take_unanswered(&state.mcp, &carrier, &session, message).await?,
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok((StatusCode::ACCEPTED, "Accepted").into_response())
}

/// A request that was not looked at yet.
struct Taken {
    id: RequestId,
    method: String,
    params: Option<Box<RawValue>>,
    operation: Operation,
}

/// Begins to serve a request, or answers it with what is wrong with it.
async fn take_up(
    state: &State,
    principal: &Principal,
    session: &Arc<ActiveSession>,
    Taken {
        id,
        method,
        params,
        operation,
    }: Taken,
) -> Result<Option<Response>, HttpRefusal> {
    // Before `initialize` has settled a revision, the newest reads what all have alike.
    let revision = session.revision.unwrap_or_else(revisions::newest_with_sessions);
    let operation = operation.in_revision(revision.version());
    let read = revision.request(&method, params.as_deref()).and_then(|read| {
        in_order(session, &read.0)?;
        Ok(read)
    });
    if let Ok((request, _)) = &read
        && let Some(scope) = scopes::missing(&state.config, principal, request)
    {
        operation.broke(INSUFFICIENT_SCOPE);
        let refused = challenge::insufficient_scope(state, "/message", Some(&id), scope).await;
        return Ok(Some(refused));
    }
    let working = state
        .mcp
        .in_flight
        .begin(&session.session_id, &session.user_id, &id)
        .map_err(|refused| HttpRefusal::from(refused).of(Some(&id)))
        .inspect_err(|refusal| operation.failed(&refusal.error))?;
    let described = read.as_ref().ok().map(|(request, _)| Described {
        id: id.clone(),
        method: method.clone(),
        params,
        repeats: Repeats::of(request),
    });
    let description = Description {
        mcp: state.mcp.clone(),
        principal: principal.clone(),
        revision,
        requests: described.into_iter().collect(),
    };
    let exchange = Exchange::standalone(session.clone(), description);
    // What is accepted is answered, whatever becomes of this edge.
    if let Err(error) = exchange.open().await {
        let refusal: HttpRefusal = match error {
            NotSent::StreamOver => {
                operation.settle(Err(&Failure::TakenOver));
                return Ok(None);
            }
            NotSent::SessionEnded => NoSession::NotFound.into(),
            NotSent::Unavailable => {
                tokio::spawn(async move { exchange.withdraw().await });
                Fault::Unavailable.into()
            }
            NotSent::Refused => Fault::Internal.into(),
        };
        operation.failed(&refusal.error);
        return Err(refusal.of(Some(&id)));
    }
    match read {
        Ok((request, meta)) => {
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
                told: None,
            };
            tokio::spawn(serve(state.mcp.clone(), job, exchange));
        }
        Err(error) => {
            operation.failed(&error);
            let response = jsonrpc::error(Some(&id), &error);
            exchange.respond(Some(&id), response).await;
        }
    }
    Ok(None)
}

/// `initialize` comes first, and once.
fn in_order(session: &ActiveSession, request: &ClientRequest) -> Result<(), RpcError> {
    let begins = matches!(request, ClientRequest::Initialize(_));
    if session.revision.is_none() == begins || matches!(request, ClientRequest::Ping) {
        return Ok(());
    }
    Err(RpcError::invalid_request(if begins {
        "this session has begun already"
    } else {
        "send initialize first"
    }))
}
