use everything_proto::auth::v1::fake_upstream_service_server::FakeUpstreamService;
use everything_proto::auth::v1::{self as proto};
use tonic::{Request, Response, Status};

use super::{error_page, parameters, redirect};
use crate::authorization::Redirect;
use crate::oauth_error::Failure;
use crate::upstream::fake::FakeProvider;

#[derive(Clone)]
pub(crate) struct FakeUpstreamGrpc(pub FakeProvider);

#[tonic::async_trait]
impl FakeUpstreamService for FakeUpstreamGrpc {
    async fn authorize(
        &self,
        request: Request<proto::FakeAuthorizeRequest>,
    ) -> Result<Response<proto::FakeAuthorizeResponse>, Status> {
        use proto::fake_authorize_response::Outcome;

        let request = request.into_inner();
        let outcome = match self
            .0
            .authorize(&parameters(request.parameters), &request.user_id)
            .await
        {
            Ok(location) => Outcome::Redirect(redirect(Redirect {
                location,
                browser: None,
            })),
            Err(Failure::Refused(page)) => Outcome::ErrorPage(error_page(page)),
            Err(Failure::Fault(error)) => return Err(error.into()),
        };
        Ok(Response::new(proto::FakeAuthorizeResponse {
            outcome: Some(outcome),
        }))
    }
}
