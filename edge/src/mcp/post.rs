//! `POST /mcp`: messages of the client ("Sending Messages to the Server").

mod batch;
mod serve;

use std::sync::Arc;

use axum::{
    extract::State as Extract,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::value::RawValue;
use tracing::Instrument;

use super::{
    Mcp, answers,
    calls::LOST,
    event_body,
    exchange::{Described, Description, Exchange, Opening, Repeats},
    headers, initialize, notifications,
    operation::{Carrier, Operation},
    refusal::HttpRefusal,
    requests::Failure,
    scopes,
    sessions::{ActiveSession, NoSession},
    stateless, streams,
};
use crate::{
    Principal, State,
    authentication::challenge,
    error::{Fault, json_response},
    jsonrpc::{self, Incoming, Message, RequestId, RpcError},
    revisions::{self, ClientRequest, WithSessions},
};

pub use serve::{Job, LEFT, serve};

const INITIALIZE: &str = "initialize";
/// The `error.type` of an operation that the token does not allow.
pub(super) const INSUFFICIENT_SCOPE: &str = "insufficient_scope";

pub async fn post(
    Extract(state): Extract<State>,
    principal: Principal,
    carrier: Carrier,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    take(&state, &principal, carrier, &headers, &body)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn take(
    state: &State,
    principal: &Principal,
    carrier: Carrier,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, HttpRefusal> {
    headers::require_json(headers)?;
    headers::accepts_answers(headers)?;
    let incoming = jsonrpc::parse(body)?;
    let incoming = match incoming {
        Incoming::Single(message) if stateless::is_meant(headers, &message) => {
            return stateless::serve(state, principal, carrier, headers, message).await;
        }
        incoming => incoming,
    };
    let session_id = headers::single(headers, headers::SESSION_ID)?;
    if let Incoming::Single(Message::Request { id, method, params }) = &incoming
        && method == INITIALIZE
    {
        return match session_id {
            None => begin(state, principal, carrier, id, params.as_deref()).await,
            Some(_) => {
                let sentence = "this session has begun already; send initialize without Mcp-Session-Id";
                Err(HttpRefusal::bad_request(RpcError::invalid_request(sentence)).of(Some(id)))
            }
        };
    }
    let id = first_id(&incoming);
    if session_id.is_none() && matches!(incoming, Incoming::Batch(_)) {
        // Whichever revision it is meant for: none takes a batch without a session.
        let sentence = "only sessions of 2025-03-26 take JSON-RPC batches; send each message on its own";
        return Err(HttpRefusal::bad_request(RpcError::invalid_request(sentence)));
    }
    let session = find_session(&state.mcp, principal, session_id)
        .await
        .map_err(|refusal| refusal.of(id))?;
    // A session of the 2024-11-05 transport that has not begun has nothing to do here.
    let revision = session.revision.ok_or(NoSession::NotFound)?;
    headers::check_version(headers, revision).map_err(|refusal| refusal.of(id))?;
    match incoming {
        Incoming::Single(message) => one(state, principal, carrier, session, revision, message).await,
        Incoming::Batch(messages) if revision.accepts_batches() => {
            batch::take(state, principal, carrier, session, revision, messages).await
        }
        Incoming::Batch(_) => {
            let sentence = format!(
                "{} has no JSON-RPC batches; send each message on its own",
                revision.version()
            );
            Err(HttpRefusal::bad_request(RpcError::invalid_request(sentence)))
        }
    }
}

/// `initialize` on its own begins a session.
async fn begin(
    state: &State,
    principal: &Principal,
    carrier: Carrier,
    id: &RequestId,
    params: Option<&RawValue>,
) -> Result<Response, HttpRefusal> {
    let operation = Operation::of_client(&carrier, INITIALIZE, params).with_id(id);
    // Its params are read alike whatever comes of the negotiation.
    let initialize = match revisions::newest_with_sessions().request(INITIALIZE, params) {
        Ok((ClientRequest::Initialize(initialize), _)) => initialize,
        Ok(_) => return Err(HttpRefusal::from(Fault::Internal).of(Some(id))),
        Err(error) => {
            operation.failed(&error);
            return Ok(rpc_error(id, &error));
        }
    };
    let beginning = initialize::begin(&state.mcp, principal, initialize);
    let begun = beginning.instrument(operation.span()).await;
    operation.settle(begun.as_ref().map(|begun| &begun.result));
    match begun {
        Ok(begun) => {
            _ = operation
                .in_session(&begun.session_id)
                .in_revision(begun.revision.version());
            let mut response = json_response(StatusCode::OK, jsonrpc::result(id, &begun.result));
            let session_id = HeaderValue::from_str(&begun.session_id)
                .map_err(|_| HttpRefusal::from(Fault::Internal).of(Some(id)))?;
            response.headers_mut().insert(headers::SESSION_ID, session_id);
            Ok(response)
        }
        Err(Failure::Rpc(error)) => Ok(rpc_error(id, &error)),
        Err(Failure::Fault(fault)) => Err(HttpRefusal::from(fault).of(Some(id))),
        Err(Failure::SessionEnded | Failure::TakenOver) => {
            Err(HttpRefusal::from(NoSession::NotFound).of(Some(id)))
        }
    }
}

async fn one(
    state: &State,
    principal: &Principal,
    carrier: Carrier,
    session: Arc<ActiveSession>,
    revision: &'static dyn WithSessions,
    message: Message,
) -> Result<Response, HttpRefusal> {
    let Message::Request { id, method, params } = message else {
        take_unanswered(&state.mcp, &carrier, &session, message).await?;
        return Ok(StatusCode::ACCEPTED.into_response());
    };
    let operation = Operation::of_client(&carrier, &method, params.as_deref())
        .with_id(&id)
        .in_revision(revision.version())
        .in_session(&session.session_id);
    let (request, meta) = match revision.request(&method, params.as_deref()) {
        Ok(read) => read,
        Err(error) => {
            operation.failed(&error);
            return Ok(rpc_error(&id, &error));
        }
    };
    if let Some(scope) = scopes::missing(&state.config, principal, &request) {
        operation.broke(INSUFFICIENT_SCOPE);
        return Ok(challenge::insufficient_scope(state, "/mcp", Some(&id), scope).await);
    }
    let working = state
        .mcp
        .in_flight
        .begin(&session.session_id, &session.user_id, &id)
        .map_err(|refused| HttpRefusal::from(refused).of(Some(&id)))
        .inspect_err(|refusal| operation.failed(&refusal.error))?;
    let described = Described {
        id: id.clone(),
        method: method.clone(),
        params,
        repeats: Repeats::of(&request),
    };
    let description = Description {
        mcp: state.mcp.clone(),
        principal: principal.clone(),
        revision,
        requests: vec![described],
    };
    let (exchange, opened) = Exchange::post(session.clone(), description, 1, false);
    let job = Job {
        principal: principal.clone(),
        session: session.clone(),
        revision,
        id: id.clone(),
        method,
        request,
        meta,
        working,
        operation,
        told: None,
    };
    // On its own, so that the call goes on when its client drops.
    tokio::spawn(serve(state.mcp.clone(), job, exchange));
    // The call was taken from this edge before anything of it reached the client.
    let Ok(opening) = opened.await else {
        return Ok(rpc_error(&id, &RpcError::internal(LOST)));
    };
    Ok(respond(state, session, revision, opening))
}

/// Notifications and responses.
pub async fn take_unanswered(
    mcp: &Mcp,
    carrier: &Carrier,
    session: &ActiveSession,
    message: Message,
) -> Result<(), NoSession> {
    match message {
        Message::Notification { method, params } => {
            let mut operation =
                Operation::of_client(carrier, &method, params.as_deref()).in_session(&session.session_id);
            if let Some(revision) = session.revision {
                operation = operation.in_revision(revision.version());
            }
            let taken = notifications::take(mcp, session, &method, params.as_deref())
                .instrument(operation.span())
                .await;
            match taken {
                Ok(()) => operation.succeeded(b""),
                Err(refused) => operation.failed(&HttpRefusal::from(refused).error),
            }
            taken
        }
        Message::Response { id, raw, .. } => answers::hand_over(mcp, session, &id, raw).await,
        Message::Request { .. } => Ok(()),
    }
}

async fn find_session(
    mcp: &Mcp,
    principal: &Principal,
    session_id: Option<&str>,
) -> Result<Arc<ActiveSession>, HttpRefusal> {
    let Some(session_id) = session_id else {
        let sentence = "Mcp-Session-Id is required; send initialize to start a session";
        return Err(HttpRefusal::bad_request(RpcError::invalid_request(sentence)));
    };
    Ok(mcp.sessions.get(session_id, principal).await?)
}

/// The id under which a body as a whole can be refused.
fn first_id(incoming: &Incoming) -> Option<&RequestId> {
    match incoming {
        Incoming::Single(Message::Request { id, .. }) => Some(id),
        _ => None,
    }
}

fn respond(
    state: &State,
    session: Arc<ActiveSession>,
    revision: &'static dyn WithSessions,
    opening: Opening,
) -> Response {
    match opening {
        Opening::Json(body) => json_response(StatusCode::OK, body),
        Opening::Refused(refusal) => refusal.into_response(),
        Opening::Stream { live, cursor } => {
            let frames = streams::of_call(&state.mcp, session, revision, live, cursor);
            let never = serving::CancellationToken::new();
            event_body::respond(frames, state.config.sse_keep_alive, never)
        }
        // A stream that ends without a word: the request was given up, so nobody waits for an answer.
        Opening::Nothing => {
            let never = serving::CancellationToken::new();
            event_body::respond(
                futures::stream::empty().boxed(),
                state.config.sse_keep_alive,
                never,
            )
        }
    }
}

/// An error of a well-formed request is an answer like any other.
fn rpc_error(id: &RequestId, error: &RpcError) -> Response {
    json_response(StatusCode::OK, jsonrpc::error(Some(id), error))
}
