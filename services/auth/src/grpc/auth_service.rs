use std::pin::Pin;
use std::sync::Arc;

use everything_proto::auth::v1::auth_service_server::AuthService;
use everything_proto::auth::v1::{self as proto};
use futures::Stream;
use serving::CancellationToken;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{
    active, address, client_request, cookie, error_page, given, oauth_error, parameters, proof, redirect,
};
use crate::authorization::Begun;
use crate::consent::Decision;
use crate::oauth_error::Failure;
use crate::pushed;
use crate::scope::Scopes;
use crate::secret::Secret;
use crate::server::AuthorizationServer;
use crate::store::{Revocation, Revocations};

/// Revocations that a slow watcher may fall behind.
const WATCH_BUFFER: usize = 256;

#[derive(Clone)]
pub(crate) struct AuthGrpc {
    server: Arc<AuthorizationServer>,
    shutdown: CancellationToken,
}

impl AuthGrpc {
    pub fn new(server: Arc<AuthorizationServer>, shutdown: CancellationToken) -> Self {
        Self { server, shutdown }
    }
}

#[tonic::async_trait]
impl AuthService for AuthGrpc {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<proto::WatchResponse, Status>> + Send>>;

    async fn metadata(
        &self,
        _request: Request<proto::MetadataRequest>,
    ) -> Result<Response<proto::MetadataResponse>, Status> {
        Ok(Response::new(proto::MetadataResponse {
            authorization_server_json: self.server.authorization_server_metadata().to_string().into(),
            protected_resource_json: self.server.protected_resource_metadata().to_string().into(),
            issuer: self.server.issuer().to_owned(),
            resource: self.server.resource().to_owned(),
            scopes_supported: Scopes::all().names(),
        }))
    }

    async fn register_client(
        &self,
        request: Request<proto::RegisterClientRequest>,
    ) -> Result<Response<proto::RegisterClientResponse>, Status> {
        use proto::register_client_request::Operation;
        use proto::register_client_response::Outcome;

        let request = request.into_inner();
        let (id, token, metadata) = (
            &request.client_id,
            &request.registration_access_token,
            &request.metadata_json,
        );
        let answer = match request.operation() {
            Operation::Unspecified => {
                return Err(Status::invalid_argument("the operation is missing"));
            }
            Operation::Create => self
                .server
                .register_client(metadata, address(request.address.as_ref()))
                .await
                .map(Some),
            Operation::Read => self.server.read_client(id, token).await.map(Some),
            Operation::Update => self.server.update_client(id, token, metadata).await.map(Some),
            Operation::Delete => self.server.delete_client(id, token).await.map(|()| None),
        };
        let outcome = match answer {
            Ok(Some(client)) => Outcome::ClientJson(client.into()),
            Ok(None) => Outcome::Deleted(proto::Deleted {}),
            Err(Failure::Refused(error)) => {
                tracing::info!(error = error.code.as_str(), "client registration refused");
                Outcome::Error(oauth_error(error))
            }
            Err(Failure::Fault(error)) => return Err(error.into()),
        };
        Ok(Response::new(proto::RegisterClientResponse {
            outcome: Some(outcome),
        }))
    }

    async fn begin_authorization(
        &self,
        request: Request<proto::BeginAuthorizationRequest>,
    ) -> Result<Response<proto::BeginAuthorizationResponse>, Status> {
        use proto::begin_authorization_response::Outcome;

        let request = request.into_inner();
        let from = request.address.as_ref();
        if request.pushed {
            let pushed = client_request(request.parameters, request.client_authentication, from);
            let outcome = match self.server.push_authorization(&pushed).await {
                Ok(request_uri) => {
                    let expires_in_s = u32::try_from(pushed::TTL.as_secs()).unwrap_or(u32::MAX);
                    Outcome::Pushed(proto::PushedAuthorization {
                        request_uri,
                        expires_in_s,
                    })
                }
                Err(Failure::Refused(error)) => Outcome::Error(oauth_error(error)),
                Err(Failure::Fault(error)) => return Err(error.into()),
            };
            return Ok(Response::new(proto::BeginAuthorizationResponse {
                outcome: Some(outcome),
            }));
        }
        let (browser, from) = (given(&request.browser_session), address(from));
        let begun = self
            .server
            .begin_authorization(&parameters(request.parameters), browser, from)
            .await?;
        let outcome = match begun {
            Begun::Page(page) => Outcome::ErrorPage(error_page(page)),
            Begun::Redirect(to) => Outcome::Redirect(redirect(to)),
            Begun::Consent(prompt) => {
                let (browser_session, browser_session_max_age_s) = cookie(Some(prompt.browser));
                Outcome::Consent(proto::ConsentPrompt {
                    transaction: prompt.transaction.expose().to_owned(),
                    csrf_token: prompt.csrf_token.expose().to_owned(),
                    client_id: prompt.client_id,
                    client_name: prompt.client_name,
                    client_uri: prompt.client_uri,
                    redirect_host: prompt.redirect_host,
                    loopback_redirect: prompt.loopback_redirect,
                    scopes: prompt.scopes.names(),
                    resource: prompt.resource,
                    browser_session,
                    browser_session_max_age_s,
                })
            }
        };
        Ok(Response::new(proto::BeginAuthorizationResponse {
            outcome: Some(outcome),
        }))
    }

    async fn decide_consent(
        &self,
        request: Request<proto::DecideConsentRequest>,
    ) -> Result<Response<proto::DecideConsentResponse>, Status> {
        use proto::decide_consent_response::Outcome;

        let request = request.into_inner();
        let decision = Decision {
            transaction: Secret::new(request.transaction),
            csrf_token: Secret::new(request.csrf_token),
            approved: request.approved,
        };
        let (browser, from) = (given(&request.browser_session), address(request.address.as_ref()));
        let outcome = match self.server.decide_consent(&decision, browser, from).await {
            Ok(to) => Outcome::Redirect(redirect(to)),
            Err(Failure::Refused(page)) => Outcome::ErrorPage(error_page(page)),
            Err(Failure::Fault(error)) => return Err(error.into()),
        };
        Ok(Response::new(proto::DecideConsentResponse {
            outcome: Some(outcome),
        }))
    }

    async fn complete_upstream(
        &self,
        request: Request<proto::CompleteUpstreamRequest>,
    ) -> Result<Response<proto::CompleteUpstreamResponse>, Status> {
        use proto::complete_upstream_response::Outcome;

        let request = request.into_inner();
        let parameters = parameters(request.parameters);
        let completed = self
            .server
            .complete_upstream(&parameters, given(&request.browser_session))
            .await;
        let outcome = match completed {
            Ok(to) => Outcome::Redirect(redirect(to)),
            Err(Failure::Refused(page)) => {
                tracing::info!(page = page.title, "login refused");
                Outcome::ErrorPage(error_page(page))
            }
            Err(Failure::Fault(error)) => return Err(error.into()),
        };
        Ok(Response::new(proto::CompleteUpstreamResponse {
            outcome: Some(outcome),
        }))
    }

    async fn exchange_token(
        &self,
        request: Request<proto::ExchangeTokenRequest>,
    ) -> Result<Response<proto::ExchangeTokenResponse>, Status> {
        use proto::exchange_token_response::Outcome;

        let request = request.into_inner();
        let from = request.address.as_ref();
        let form = client_request(request.parameters, request.client_authentication, from);
        let outcome = match self
            .server
            .exchange_token(&form, proof(request.dpop).as_ref())
            .await
        {
            Ok(token) => Outcome::TokenJson(token.into()),
            Err(Failure::Refused(error)) => {
                tracing::info!(error = error.code.as_str(), "token refused");
                Outcome::Error(oauth_error(error))
            }
            Err(Failure::Fault(error)) => return Err(error.into()),
        };
        Ok(Response::new(proto::ExchangeTokenResponse {
            outcome: Some(outcome),
        }))
    }

    async fn introspect(
        &self,
        request: Request<proto::IntrospectRequest>,
    ) -> Result<Response<proto::IntrospectResponse>, Status> {
        use proto::introspect_request::Caller;

        let request = request.into_inner();
        let token = &request.token;
        let answer = match request.caller {
            None => return Err(Status::invalid_argument("the caller is missing")),
            Some(Caller::ResourceServer(server)) => {
                let proof = proof(request.dpop);
                self.server
                    .introspect_for_resource(token, &server.resource, proof.as_ref())
                    .await
            }
            Some(Caller::ClientAuthentication(authentication)) => {
                let from = request.address.as_ref();
                let form = client_request(request.parameters, Some(authentication), from);
                self.server.introspect_for_client(token, &form).await
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

    async fn revoke(
        &self,
        request: Request<proto::RevokeRequest>,
    ) -> Result<Response<proto::RevokeResponse>, Status> {
        let request = request.into_inner();
        let from = request.address.as_ref();
        let form = client_request(request.parameters, request.client_authentication, from);
        let error = match self.server.revoke(&form).await {
            Ok(()) => None,
            Err(Failure::Refused(error)) => Some(oauth_error(error)),
            Err(Failure::Fault(error)) => return Err(error.into()),
        };
        Ok(Response::new(proto::RevokeResponse { error }))
    }

    async fn watch(
        &self,
        _request: Request<proto::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let revocations = self.server.watch().await?;
        let (events, receiver) = mpsc::channel(WATCH_BUFFER);
        tokio::spawn(forward(revocations, events, self.shutdown.clone()));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// Ends the stream when announcements may have been missed: the watcher comes back, and forgets what it knew when the
/// new watch stands.
async fn forward(
    mut revocations: Box<dyn Revocations>,
    events: mpsc::Sender<Result<proto::WatchResponse, Status>>,
    shutdown: CancellationToken,
) {
    use proto::watch_response::Event;

    let response = |event| Ok(proto::WatchResponse { event: Some(event) });
    if events
        .send(response(Event::Watching(proto::Watching {})))
        .await
        .is_err()
    {
        return;
    }
    loop {
        let next = tokio::select! {
            next = revocations.next() => next,
            () = events.closed() => return,
            () = shutdown.cancelled() => None,
        };
        let event = match next {
            Some(Revocation::Grant(id)) => Event::RevokedGrantId(id),
            Some(Revocation::Token(sha256)) => Event::RevokedTokenSha256(sha256),
            None => {
                // A watcher whose queue is full sees the end of the stream instead, which means the same.
                let _ = events.try_send(Err(Status::unavailable(
                    "watch again: revocations may have been missed",
                )));
                return;
            }
        };
        // A watcher that does not read is cut off, so that it cannot trust what it knows.
        if events.try_send(response(event)).is_err() {
            return;
        }
    }
}
