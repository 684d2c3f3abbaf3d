//! `AuthService` in front of another authorization server: everything that issues is refused.

use std::pin::Pin;
use std::sync::Arc;

use everything_proto::auth::v1::auth_service_server::AuthService;
use everything_proto::auth::v1::{self as proto};
use futures::Stream;
use serving::CancellationToken;
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status};

use super::{active, oauth_error, proof};
use crate::external::ExternalServer;
use crate::oauth_error::{ErrorCode, Failure};
use crate::scope::Scopes;

#[derive(Clone)]
pub(crate) struct ExternalGrpc {
    server: Arc<ExternalServer>,
    shutdown: CancellationToken,
}

impl ExternalGrpc {
    pub fn new(server: Arc<ExternalServer>, shutdown: CancellationToken) -> Self {
        Self { server, shutdown }
    }

    fn elsewhere(&self) -> Status {
        Status::failed_precondition(format!("tokens are issued by {}", self.server.issuer()))
    }
}

#[tonic::async_trait]
impl AuthService for ExternalGrpc {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<proto::WatchResponse, Status>> + Send>>;

    async fn metadata(
        &self,
        _request: Request<proto::MetadataRequest>,
    ) -> Result<Response<proto::MetadataResponse>, Status> {
        Ok(Response::new(proto::MetadataResponse {
            authorization_server_json: Default::default(),
            protected_resource_json: self.server.protected_resource_metadata().to_string().into(),
            issuer: self.server.issuer().to_owned(),
            resource: self.server.resource().to_owned(),
            scopes_supported: Scopes::all().names(),
        }))
    }

    async fn introspect(
        &self,
        request: Request<proto::IntrospectRequest>,
    ) -> Result<Response<proto::IntrospectResponse>, Status> {
        use proto::introspect_request::Caller;

        let request = request.into_inner();
        let answer = match &request.caller {
            None => return Err(Status::invalid_argument("the caller is missing")),
            Some(Caller::ResourceServer(caller)) => {
                let proof = proof(request.dpop);
                self.server
                    .introspect(&request.token, &caller.resource, proof.as_ref())
                    .await
            }
            Some(Caller::ClientAuthentication(_)) => {
                let error = ErrorCode::InvalidClient.because("tokens are introspected where they are issued");
                Err(Failure::Refused(error))
            }
        };
        let response = match answer {
            Ok(Some(token)) => active(token, self.server.issuer()),
            Ok(None) => proto::IntrospectResponse::default(),
            Err(Failure::Refused(error)) => proto::IntrospectResponse {
                error: Some(oauth_error(error)),
                ..Default::default()
            },
            Err(Failure::Fault(error)) => return Err(error.into()),
        };
        Ok(Response::new(response))
    }

    /// The issuer tells nobody what it revokes: whoever remembers tokens has to forget them by age.
    async fn watch(
        &self,
        _request: Request<proto::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let event = proto::watch_response::Event::Watching(proto::Watching {});
        let first = tokio_stream::once(Ok(proto::WatchResponse { event: Some(event) }));
        let shutdown = self.shutdown.clone();
        let end = futures::stream::once(async move {
            shutdown.cancelled().await;
            Err(Status::unavailable("watch again"))
        });
        Ok(Response::new(Box::pin(first.chain(end))))
    }

    async fn register_client(
        &self,
        _request: Request<proto::RegisterClientRequest>,
    ) -> Result<Response<proto::RegisterClientResponse>, Status> {
        Err(self.elsewhere())
    }

    async fn begin_authorization(
        &self,
        _request: Request<proto::BeginAuthorizationRequest>,
    ) -> Result<Response<proto::BeginAuthorizationResponse>, Status> {
        Err(self.elsewhere())
    }

    async fn decide_consent(
        &self,
        _request: Request<proto::DecideConsentRequest>,
    ) -> Result<Response<proto::DecideConsentResponse>, Status> {
        Err(self.elsewhere())
    }

    async fn complete_upstream(
        &self,
        _request: Request<proto::CompleteUpstreamRequest>,
    ) -> Result<Response<proto::CompleteUpstreamResponse>, Status> {
        Err(self.elsewhere())
    }

    async fn exchange_token(
        &self,
        _request: Request<proto::ExchangeTokenRequest>,
    ) -> Result<Response<proto::ExchangeTokenResponse>, Status> {
        Err(self.elsewhere())
    }

    async fn revoke(
        &self,
        _request: Request<proto::RevokeRequest>,
    ) -> Result<Response<proto::RevokeResponse>, Status> {
        Err(self.elsewhere())
    }
}
