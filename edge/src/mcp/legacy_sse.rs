//! `GET /sse`: the stream of the 2024-11-05 transport, on which everything is sent ("HTTP with SSE").
//!
//! The stream begins a session. Its event ids carry the session's id, so that a client that reconnects with
//! `Last-Event-ID`, as every `EventSource` does, comes back to it.

use axum::{extract::State as Extract, response::Response};
use everything_proto::session::v1::CreateRequest;
use futures::stream::{self, StreamExt};
use http::HeaderMap;
use serving::CancellationToken;

use super::{
    event_body, headers,
    refusal::HttpRefusal,
    streams::{self, Wording},
};
use crate::{Principal, State, error::Fault, revisions, sse::Frame};

/// Between the session's id and the event's.
const SEPARATOR: char = '~';

pub async fn legacy_sse(
    Extract(state): Extract<State>,
    principal: Principal,
    headers: HeaderMap,
) -> Result<Response, HttpRefusal> {
    headers::accepts_stream(&headers)?;
    let last_event_id =
        headers::single(&headers, headers::LAST_EVENT_ID)?.and_then(|id| id.split_once(SEPARATOR));
    let (session_id, last_event_id) = match last_event_id {
        Some((session_id, last_event_id)) => (session_id.to_owned(), last_event_id),
        None => (create(&state, &principal).await?, ""),
    };
    let session = state.mcp.sessions.get(&session_id, &principal).await?;
    let revision = session.revision.unwrap_or_else(revisions::oldest);
    let wording = Wording {
        revision,
        id_prefix: format!("{session_id}{SEPARATOR}"),
        primed: false,
    };
    let frames = streams::attach(&state.mcp, session, last_event_id, wording).await?;
    // Relative, so that it holds behind any proxy.
    let endpoint = Frame::endpoint(&format!("/message?sessionId={session_id}")).encode();
    let frames = stream::iter([endpoint]).chain(frames).boxed();
    // It ends by itself.
    let never = CancellationToken::new();
    Ok(event_body::respond(frames, state.config.sse_keep_alive, never))
}

async fn create(state: &State, principal: &Principal) -> Result<String, HttpRefusal> {
    let request = CreateRequest {
        user_id: principal.user_id.as_ref().to_owned(),
        ..CreateRequest::default()
    };
    let created = state.mcp.clients.session.clone().create(request).await;
    let created = created
        .map_err(|status| Fault::from_status(&status))?
        .into_inner();
    Ok(created.session.ok_or(Fault::Internal)?.session_id)
}
