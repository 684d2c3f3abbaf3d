//! gRPC clients of the services behind the edge.

use everything_proto::{
    auth::v1::{
        auth_service_client::AuthServiceClient, fake_upstream_service_client::FakeUpstreamServiceClient,
    },
    feature::v1::feature_service_client::FeatureServiceClient,
    session::v1::{session_service_client::SessionServiceClient, task_service_client::TaskServiceClient},
};
use serving::{GrpcChannel, Upstream};
use tonic::{Code, Status};

/// Largest gRPC message taken from a service, bytes: what a service may send by default (`serving::GrpcLimits`).
const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;

/// The services behind the edge.
pub struct Upstreams {
    /// None only with AUTH_MODE=disabled.
    pub auth: Option<Upstream>,
    pub session: Upstream,
    pub feature: Upstream,
}

/// One client per service. Cheap to clone; clone it to call.
#[derive(Clone)]
pub struct Clients {
    auth: Option<AuthServiceClient<GrpcChannel>>,
    fake_upstream: Option<FakeUpstreamServiceClient<GrpcChannel>>,
    pub session: SessionServiceClient<GrpcChannel>,
    /// Served beside the session service.
    pub tasks: TaskServiceClient<GrpcChannel>,
    pub feature: FeatureServiceClient<GrpcChannel>,
}

impl Clients {
    pub fn new(upstreams: &Upstreams) -> Self {
        let auth = upstreams.auth.as_ref().map(Upstream::channel);
        Self {
            fake_upstream: auth.clone().map(FakeUpstreamServiceClient::new),
            auth: auth
                .map(|channel| AuthServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES)),
            session: SessionServiceClient::new(upstreams.session.channel())
                .max_decoding_message_size(MAX_MESSAGE_BYTES),
            tasks: TaskServiceClient::new(upstreams.session.channel())
                .max_decoding_message_size(MAX_MESSAGE_BYTES),
            feature: FeatureServiceClient::new(upstreams.feature.channel())
                .max_decoding_message_size(MAX_MESSAGE_BYTES),
        }
    }

    /// UNAVAILABLE where there is no auth service, which no route that calls it exists for.
    pub fn auth(&self) -> Result<AuthServiceClient<GrpcChannel>, Status> {
        self.auth.clone().ok_or_else(no_auth_service)
    }

    /// The fake upstream identity provider, which is served beside the auth service.
    pub fn fake_upstream(&self) -> Result<FakeUpstreamServiceClient<GrpcChannel>, Status> {
        self.fake_upstream.clone().ok_or_else(no_auth_service)
    }
}

fn no_auth_service() -> Status {
    Status::new(Code::Unavailable, "this edge runs without an auth service")
}
