//! The client's responses to requests of the server, on their way to whichever edge waits for them.

use everything_proto::session::v1::AnswerRequest;
use serde_json::value::RawValue;

use super::{
    Mcp,
    sessions::{ActiveSession, NoSession},
};
use crate::jsonrpc::RequestId;

/// Hands a response over. One that nobody waits for (any more) is passed over, as a late answer is no fault.
pub async fn hand_over(
    mcp: &Mcp,
    session: &ActiveSession,
    id: &RequestId,
    response: Box<RawValue>,
) -> Result<(), NoSession> {
    // Ids of requests from here are strings; nothing waits under a number.
    let RequestId::String(request_id) = id else {
        tracing::debug!("the client answered a request that was never made");
        return Ok(());
    };
    let request = AnswerRequest {
        session_id: session.session_id.to_string(),
        user_id: session.user_id.to_string(),
        request_id: request_id.to_string(),
        response_json: String::from(Box::<str>::from(response)).into(),
    };
    let answered = mcp.clients.session.clone().answer(request).await;
    let answered = answered
        .map_err(|status| NoSession::from_status(&status))?
        .into_inner();
    if !answered.accepted {
        tracing::debug!("the client answered a request that nobody waits for");
    }
    Ok(())
}
