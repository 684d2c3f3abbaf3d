//! `DELETE /mcp`: the client ends its session, everywhere ("Session Management").

use axum::extract::State as Extract;
use everything_proto::session::v1::DeleteRequest;
use http::{HeaderMap, StatusCode};

use super::{headers, refusal::HttpRefusal, sessions::NoSession};
use crate::{Principal, State, jsonrpc::RpcError};

pub async fn delete(
    Extract(state): Extract<State>,
    principal: Principal,
    headers: HeaderMap,
) -> Result<StatusCode, HttpRefusal> {
    let Some(session_id) = headers::single(&headers, headers::SESSION_ID)? else {
        let sentence = "Mcp-Session-Id is required: it names the session to end";
        return Err(HttpRefusal::bad_request(RpcError::invalid_request(sentence)));
    };
    let request = DeleteRequest {
        session_id: session_id.to_owned(),
        user_id: principal.user_id.as_ref().to_owned(),
    };
    let outcome = state.mcp.clients.session.clone().delete(request).await;
    // Whatever came of it, what this edge remembers is not to be trusted.
    state.mcp.sessions.forget(session_id);
    outcome.map_err(|status| NoSession::from_status(&status))?;
    state.mcp.in_flight.cancel_session(session_id);
    Ok(StatusCode::NO_CONTENT)
}
