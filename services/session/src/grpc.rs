//! The gRPC face: translate, call, translate.

use std::{pin::Pin, sync::Arc, time::Duration};

use everything_proto::session::v1::{
    AnswerRequest, AnswerResponse, AppendRequest, AppendResponse, CancelRequest, CancelResponse,
    ConnectRequest, ConnectResponse, CreateRequest, CreateResponse, DeleteRequest, DeleteResponse,
    GetRequest, GetResponse, HandOverRequest, HandOverResponse, UpdateRequest, UpdateResponse,
    session_service_server::SessionService,
};
use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use crate::{Session, operations::Operations, routing::Hub};

pub(crate) struct Grpc {
    pub(crate) operations: Operations,
    pub(crate) hub: Arc<Hub>,
    pub(crate) ttl: Duration,
}

impl Grpc {
    fn session(&self, session: Session) -> Option<everything_proto::session::v1::Session> {
        Some(everything_proto::session::v1::Session {
            session_key: session.id.key(),
            session_id: session.id.as_str().to_owned(),
            user_id: session.user.as_str().to_owned(),
            protocol_version: session.protocol_version,
            client_info_json: session.client_info,
            client_capabilities_json: session.client_capabilities,
            log_level: session.log_level.into(),
            subscriptions: session.subscriptions.into_keys().collect(),
            initialized: session.initialized,
            ttl_ms: u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX),
            created_at_ms: session.created_at_ms,
        })
    }
}

#[tonic::async_trait]
impl SessionService for Grpc {
    type ConnectStream = Pin<Box<dyn Stream<Item = Result<ConnectResponse, Status>> + Send>>;

    async fn create(&self, request: Request<CreateRequest>) -> Result<Response<CreateResponse>, Status> {
        let session = self.operations.create(request.into_inner()).await?;
        Ok(Response::new(CreateResponse {
            session: self.session(session),
        }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let session = self.operations.get(request.into_inner()).await?;
        Ok(Response::new(GetResponse {
            session: self.session(session),
        }))
    }

    async fn update(&self, request: Request<UpdateRequest>) -> Result<Response<UpdateResponse>, Status> {
        let session = self.operations.update(request.into_inner()).await?;
        Ok(Response::new(UpdateResponse {
            session: self.session(session),
        }))
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        self.operations.delete(request.into_inner()).await?;
        Ok(Response::new(DeleteResponse {}))
    }

    async fn append(&self, request: Request<AppendRequest>) -> Result<Response<AppendResponse>, Status> {
        let event_ids = self.operations.append(request.into_inner()).await?;
        Ok(Response::new(AppendResponse {
            event_ids: event_ids.iter().map(ToString::to_string).collect(),
        }))
    }

    async fn answer(&self, request: Request<AnswerRequest>) -> Result<Response<AnswerResponse>, Status> {
        let accepted = self.operations.answer(request.into_inner()).await?;
        Ok(Response::new(AnswerResponse { accepted }))
    }

    async fn cancel(&self, request: Request<CancelRequest>) -> Result<Response<CancelResponse>, Status> {
        self.operations.cancel(request.into_inner()).await?;
        Ok(Response::new(CancelResponse {}))
    }

    async fn hand_over(
        &self,
        request: Request<HandOverRequest>,
    ) -> Result<Response<HandOverResponse>, Status> {
        let accepted = self.operations.hand_over(request.into_inner()).await?;
        Ok(Response::new(HandOverResponse { accepted }))
    }

    async fn connect(
        &self,
        request: Request<Streaming<ConnectRequest>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let outbound = self.hub.connect(request.into_inner());
        Ok(Response::new(
            outbound.map(|message| message.map_err(Status::from)).boxed(),
        ))
    }
}
