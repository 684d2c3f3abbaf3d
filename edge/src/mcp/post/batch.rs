//! JSON-RPC batches (2025-03-26).

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;

use super::{INITIALIZE, INSUFFICIENT_SCOPE, Job, respond, serve, take_unanswered};
use crate::{
    Principal, State,
    authentication::challenge,
    error::Fault,
    jsonrpc::{self, Message, Refusal, RequestId, RpcError},
    mcp::{
        exchange::{Described, Description, Exchange, Repeats},
        operation::{Carrier, Operation},
        refusal::HttpRefusal,
        scopes,
        sessions::ActiveSession,
    },
    revisions::{ClientRequest, RequestMeta, WithSessions},
};

/// A request of a batch.
struct Read {
    id: RequestId,
    method: String,
    request: ClientRequest,
    meta: RequestMeta,
    operation: Operation,
}

/// What needs no answer is taken first, then all requests are served at once.
pub(super) async fn take(
    state: &State,
    principal: &Principal,
    carrier: Carrier,
    session: Arc<ActiveSession>,
    revision: &'static dyn WithSessions,
    messages: Vec<Result<Message, Refusal>>,
) -> Result<Response, HttpRefusal> {
    let mut requests: Vec<Result<Read, Bytes>> = Vec::new();
    let mut described = Vec::new();
    for message in messages {
        let (id, method, params) = match message {
            Ok(Message::Request { id, method, params }) => (id, method, params),
            Ok(message) => {
                take_unanswered(&state.mcp, &carrier, &session, message).await?;
                continue;
            }
            Err(refusal) => {
                requests.push(Err(jsonrpc::error(refusal.id.as_ref(), &refusal.error)));
                continue;
            }
        };
        let operation = Operation::of_client(&carrier, &method, params.as_deref())
            .with_id(&id)
            .in_revision(revision.version())
            .in_session(&session.session_id);
        if method == INITIALIZE {
            let error = RpcError::invalid_request("initialize must not be part of a batch");
            operation.failed(&error);
            requests.push(Err(jsonrpc::error(Some(&id), &error)));
            continue;
        }
        match revision.request(&method, params.as_deref()) {
            Ok((request, meta)) => {
                if let Some(scope) = scopes::missing(&state.config, principal, &request) {
                    operation.broke(INSUFFICIENT_SCOPE);
                    return Ok(challenge::insufficient_scope(state, "/mcp", None, scope).await);
                }
                described.push(Described {
                    id: id.clone(),
                    method: method.clone(),
                    repeats: Repeats::of(&request),
                    params,
                });
                requests.push(Ok(Read {
                    id,
                    method,
                    request,
                    meta,
                    operation,
                }));
            }
            Err(error) => {
                operation.failed(&error);
                requests.push(Err(jsonrpc::error(Some(&id), &error)));
            }
        }
    }
    if requests.is_empty() {
        return Ok(StatusCode::ACCEPTED.into_response());
    }
    let description = Description {
        mcp: state.mcp.clone(),
        principal: principal.clone(),
        revision,
        requests: described,
    };
    let (exchange, opened) = Exchange::post(session.clone(), description, requests.len(), true);
    for request in requests {
        let Read {
            id,
            method,
            request,
            meta,
            operation,
        } = match request {
            Ok(request) => request,
            Err(error) => {
                exchange.respond(None, error).await;
                continue;
            }
        };
        match state
            .mcp
            .in_flight
            .begin(&session.session_id, &session.user_id, &id)
        {
            Ok(working) => {
                let principal = principal.clone();
                let session = session.clone();
                let job = Job {
                    principal,
                    session,
                    revision,
                    id,
                    method,
                    request,
                    meta,
                    working,
                    operation,
                    told: None,
                };
                tokio::spawn(serve(state.mcp.clone(), job, exchange.clone()));
            }
            Err(refused) => {
                let refusal = HttpRefusal::from(refused);
                operation.failed(&refusal.error);
                let response = jsonrpc::error(Some(&id), &refusal.error);
                exchange.respond(Some(&id), response).await;
            }
        }
    }
    drop(exchange);
    let opening = opened.await.map_err(|_| Fault::Internal)?;
    Ok(respond(state, session, revision, opening))
}
