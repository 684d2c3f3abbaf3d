//! Notifications of the client. None is answered.

use everything_proto::session::v1::{CancelRequest, UpdateRequest};
use serde_json::value::RawValue;

use super::{
    Mcp,
    sessions::{ActiveSession, NoSession},
};
use crate::revisions::ClientNotification;

pub async fn take(
    mcp: &Mcp,
    session: &ActiveSession,
    method: &str,
    params: Option<&RawValue>,
) -> Result<(), NoSession> {
    // Before `initialize` no revision says what a notification means.
    let Some(revision) = session.revision else {
        return Ok(());
    };
    let notification = match revision.notification(method, params) {
        Ok(notification) => notification,
        Err(error) => {
            tracing::debug!(%error, "a notification cannot be read");
            return Ok(());
        }
    };
    let session_id = session.session_id.to_string();
    let user_id = session.user_id.to_string();
    let mut client = mcp.clients.session.clone();
    let outcome = match notification {
        ClientNotification::Initialized => {
            let update = UpdateRequest {
                session_id,
                user_id,
                initialized: Some(true),
                ..UpdateRequest::default()
            };
            client.update(update).await.map(drop)
        }
        ClientNotification::Cancelled { request_id, reason } => {
            if mcp.in_flight.cancel(&session_id, &request_id) {
                return Ok(());
            }
            // It may be under way at another edge.
            let cancel = CancelRequest {
                session_id,
                user_id,
                request_id_json: request_id.to_json().into(),
                reason: reason.unwrap_or_default(),
            };
            client.cancel(cancel).await.map(drop)
        }
        // Features ask for roots when they need them and keep none, so there is nothing to refresh.
        ClientNotification::RootsListChanged => Ok(()),
        // Progress of a request of ours: the wait for its answer has its own deadline.
        ClientNotification::Progress | ClientNotification::Unknown => Ok(()),
    };
    outcome.map_err(|status| NoSession::from_status(&status))
}
