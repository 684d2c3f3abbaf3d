//! `initialize`: the beginning of a session ("Lifecycle").

use bytes::Bytes;
use everything_proto::{
    feature::v1::DescribeRequest,
    session::v1::{CreateRequest, Handshake, UpdateRequest},
};

use super::{
    Mcp,
    requests::Failure,
    sessions::{ActiveSession, NoSession},
};
use crate::{
    Principal,
    error::Fault,
    revisions::{self, Initialize, WithSessions},
};

/// A session that has begun.
pub struct Begun {
    pub session_id: String,
    pub revision: &'static dyn WithSessions,
    /// The result of `initialize`.
    pub result: Bytes,
}

/// Begins a session of its own, for Streamable HTTP.
pub async fn begin(mcp: &Mcp, principal: &Principal, initialize: Initialize) -> Result<Begun, Failure> {
    let (revision, handshake, result) = negotiate(mcp, initialize).await?;
    let request = CreateRequest {
        user_id: principal.user_id.as_ref().to_owned(),
        protocol_version: handshake.protocol_version,
        client_info_json: handshake.client_info_json,
        client_capabilities_json: handshake.client_capabilities_json,
    };
    let created = mcp.clients.session.clone().create(request).await;
    let created = created
        .map_err(|status| Failure::Fault(Fault::from_status(&status)))?
        .into_inner();
    let session = created.session.ok_or(Failure::Fault(Fault::Internal))?;
    Ok(Begun {
        session_id: session.session_id,
        revision,
        result,
    })
}

/// Settles the revision of a session that is there already, for the 2024-11-05 transport.
pub async fn settle(mcp: &Mcp, session: &ActiveSession, initialize: Initialize) -> Result<Bytes, Failure> {
    let (_, handshake, result) = negotiate(mcp, initialize).await?;
    let update = UpdateRequest {
        session_id: session.session_id.to_string(),
        user_id: session.user_id.to_string(),
        handshake: Some(handshake),
        ..UpdateRequest::default()
    };
    let updated = mcp.clients.session.clone().update(update).await;
    mcp.sessions.forget(&session.session_id);
    updated.map_err(|status| Failure::from(NoSession::from_status(&status)))?;
    Ok(result)
}

async fn negotiate(
    mcp: &Mcp,
    initialize: Initialize,
) -> Result<(&'static dyn WithSessions, Handshake, Bytes), Failure> {
    let revision = revisions::negotiate(&initialize.protocol_version);
    let described = mcp.clients.feature.clone().describe(DescribeRequest {}).await;
    let described = described
        .map_err(|status| Failure::Fault(Fault::from_status(&status)))?
        .into_inner();
    let handshake = Handshake {
        protocol_version: revision.version().to_owned(),
        client_info_json: initialize.client_info.get().to_owned().into(),
        client_capabilities_json: initialize.capabilities.get().to_owned().into(),
    };
    let result = revision.initialize_result(&described, mcp.settings.knows_users);
    Ok((revision, handshake, result))
}
