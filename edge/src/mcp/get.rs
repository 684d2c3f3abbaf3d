//! `GET /mcp`: the session's standalone stream, or a stream that is resumed ("Listening for Messages from the Server",
//! "Resumability and Redelivery").

use axum::{extract::State as Extract, response::Response};
use http::HeaderMap;
use serving::CancellationToken;

use super::{
    event_body, headers,
    refusal::HttpRefusal,
    sessions::NoSession,
    streams::{self, Wording},
};
use crate::{Principal, State, jsonrpc::RpcError};

pub async fn get(
    Extract(state): Extract<State>,
    principal: Principal,
    headers: HeaderMap,
) -> Result<Response, HttpRefusal> {
    headers::accepts_stream(&headers)?;
    let Some(session_id) = headers::single(&headers, headers::SESSION_ID)? else {
        let sentence = "Mcp-Session-Id is required; POST initialize first";
        return Err(HttpRefusal::bad_request(RpcError::invalid_request(sentence)));
    };
    let session = state.mcp.sessions.get(session_id, &principal).await?;
    let revision = session.revision.ok_or(NoSession::NotFound)?;
    headers::check_version(&headers, revision)?;
    let last_event_id = headers::single(&headers, headers::LAST_EVENT_ID)?.unwrap_or_default();
    let wording = Wording {
        revision,
        id_prefix: String::new(),
        primed: revision.primes_streams(),
    };
    let frames = streams::attach(&state.mcp, session, last_event_id, wording).await?;
    // It ends by itself.
    let never = CancellationToken::new();
    Ok(event_body::respond(frames, state.config.sse_keep_alive, never))
}
