//! Requests that are answered by one result, from a service that is asked once.

use bytes::Bytes;
use everything_proto::{
    feature::v1::{
        CallContext, CompleteRequest, ListPromptsRequest, ListResourceTemplatesRequest, ListResourcesRequest,
        ListToolsRequest, LogLevel, Principal as FeaturePrincipal, complete_request,
        feature_service_client::FeatureServiceClient,
    },
    session::v1::UpdateRequest,
};
use serving::GrpcChannel;
use tonic::{Code, Response, Status};

use super::{
    Mcp,
    sessions::{ActiveSession, NoSession},
};
use crate::{
    Principal,
    error::Fault,
    jsonrpc::{METHOD_NOT_FOUND, RpcError},
    revisions::{ClientRequest, Complete, Reference, Revision, WithSessions},
};

/// Why a request has no result.
#[derive(Debug)]
pub enum Failure {
    /// An answer, of the kind that MCP knows.
    Rpc(RpcError),
    /// Something behind the edge failed.
    Fault(Fault),
    /// The session ended meanwhile.
    SessionEnded,
    /// Another edge runs the call now, and answers it.
    TakenOver,
}

impl Failure {
    /// What a status of the feature service means. An RPC that it does not have is something that it does not offer.
    pub fn of_feature(status: &Status) -> Self {
        match status.code() {
            Code::Unimplemented => Self::Rpc(RpcError::new(
                METHOD_NOT_FOUND,
                "this server does not offer what the method is for",
            )),
            _ => Self::Fault(Fault::from_status(status)),
        }
    }
}

/// Who asks, in which session and revision.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    pub session: &'a ActiveSession,
    pub principal: &'a Principal,
    pub revision: &'static dyn WithSessions,
}

impl Asker<'_> {
    /// What every call of a feature carries.
    pub fn context(&self) -> CallContext {
        CallContext {
            principal: Some(FeaturePrincipal {
                user_id: self.principal.user_id.as_ref().to_owned(),
                client_id: self.principal.client_id.as_ref().to_owned(),
                scopes: self.principal.scopes.to_vec(),
            }),
            session_key: self.session.session_key.clone(),
            client_capabilities: Some(self.session.capabilities.clone()),
            log_level: self.session.log_level.into(),
            ..CallContext::default()
        }
    }
}

/// Answers every request of a session that is not a call of a feature and not `initialize`.
pub async fn answer(mcp: &Mcp, asker: Asker<'_>, request: ClientRequest) -> Result<Bytes, Failure> {
    match request {
        ClientRequest::Ping => Ok(asker.revision.empty_result()),
        ClientRequest::SetLogLevel { level } => set_log_level(mcp, asker, level).await,
        ClientRequest::Unsubscribe { uri } => {
            update(
                mcp,
                asker,
                UpdateRequest {
                    unsubscribe: vec![uri],
                    ..UpdateRequest::default()
                },
            )
            .await
        }
        request => list_or_complete(mcp, asker.revision, asker.context(), request).await,
    }
}

/// Answers what the feature service answers in one go: lists and completions.
pub async fn list_or_complete(
    mcp: &Mcp,
    revision: &dyn Revision,
    context: CallContext,
    request: ClientRequest,
) -> Result<Bytes, Failure> {
    let context = Some(context);
    match request {
        ClientRequest::ListTools { cursor } => {
            let request = ListToolsRequest { context, cursor };
            let list = ask(mcp, request, |mut client, request| async move {
                client.list_tools(request).await
            })
            .await?;
            in_band(revision, list.error.as_ref())?;
            Ok(revision.tools(&list))
        }
        ClientRequest::ListResources { cursor } => {
            let request = ListResourcesRequest { context, cursor };
            let list = ask(mcp, request, |mut client, request| async move {
                client.list_resources(request).await
            })
            .await?;
            in_band(revision, list.error.as_ref())?;
            Ok(revision.resources(&list))
        }
        ClientRequest::ListResourceTemplates { cursor } => {
            let request = ListResourceTemplatesRequest { context, cursor };
            let list = ask(mcp, request, |mut client, request| async move {
                client.list_resource_templates(request).await
            })
            .await?;
            in_band(revision, list.error.as_ref())?;
            Ok(revision.resource_templates(&list))
        }
        ClientRequest::ListPrompts { cursor } => {
            let request = ListPromptsRequest { context, cursor };
            let list = ask(mcp, request, |mut client, request| async move {
                client.list_prompts(request).await
            })
            .await?;
            in_band(revision, list.error.as_ref())?;
            Ok(revision.prompts(&list))
        }
        ClientRequest::Complete(complete) => {
            let request = completion(complete, context);
            let completed = ask(mcp, request, |mut client, request| async move {
                client.complete(request).await
            })
            .await?;
            in_band(revision, completed.error.as_ref())?;
            Ok(revision.completion(&completed))
        }
        // Whoever reads requests knows what else there is.
        _ => Err(Failure::Fault(Fault::Internal)),
    }
}

async fn set_log_level(mcp: &Mcp, asker: Asker<'_>, level: LogLevel) -> Result<Bytes, Failure> {
    update(
        mcp,
        asker,
        UpdateRequest {
            log_level: Some(level.into()),
            ..UpdateRequest::default()
        },
    )
    .await
}

/// Changes the session. The answer means that the change holds, at this edge too.
pub async fn update(mcp: &Mcp, asker: Asker<'_>, update: UpdateRequest) -> Result<Bytes, Failure> {
    let request = UpdateRequest {
        session_id: asker.session.session_id.to_string(),
        user_id: asker.session.user_id.to_string(),
        ..update
    };
    let outcome = mcp.clients.session.clone().update(request).await;
    mcp.sessions.forget(&asker.session.session_id);
    match outcome {
        Ok(_) => Ok(asker.revision.empty_result()),
        Err(status) if status.code() == tonic::Code::ResourceExhausted => Err(Failure::Rpc(
            RpcError::invalid_request("the session has as many subscriptions as it may"),
        )),
        Err(status) => Err(NoSession::from_status(&status).into()),
    }
}

fn completion(complete: Complete, context: Option<CallContext>) -> CompleteRequest {
    CompleteRequest {
        context,
        reference: Some(match complete.reference {
            Reference::Prompt(name) => complete_request::Reference::Prompt(name),
            Reference::ResourceTemplate(uri) => complete_request::Reference::ResourceTemplate(uri),
        }),
        argument: complete.argument,
        value: complete.value,
        resolved_arguments: complete.resolved_arguments,
    }
}

/// Asks the feature service; another replica if one does not answer, as nothing here has an effect.
async fn ask<Q: Clone, A, F>(
    mcp: &Mcp,
    request: Q,
    call: impl Fn(FeatureServiceClient<GrpcChannel>, Q) -> F,
) -> Result<A, Failure>
where
    F: Future<Output = Result<Response<A>, Status>>,
{
    let outcome = call(mcp.clients.feature.clone(), request).await;
    outcome
        .map(Response::into_inner)
        .map_err(|status| Failure::of_feature(&status))
}

fn in_band(
    revision: &dyn Revision,
    error: Option<&everything_proto::feature::v1::Error>,
) -> Result<(), Failure> {
    error.map_or(Ok(()), |error| Err(Failure::Rpc(revision.feature_error(error))))
}

impl From<NoSession> for Failure {
    fn from(error: NoSession) -> Self {
        match error {
            NoSession::NotFound => Self::SessionEnded,
            NoSession::Fault(fault) => Self::Fault(fault),
        }
    }
}
