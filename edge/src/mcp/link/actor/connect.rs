use std::{sync::Arc, time::Duration};

use everything_proto::session::v1::{
    ConnectRequest, ConnectResponse, Hello, connect_request, connect_response,
    session_service_client::SessionServiceClient,
};
use serving::{GrpcChannel, lasting};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// Messages that may wait to be sent. A service that reads slower than this fills is left for another replica.
const OUTBOX: usize = 4096;
/// How long a new link may take to be welcomed.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(5);

/// One life of the link.
pub(super) struct Connected {
    pub(super) inbox: Streaming<ConnectResponse>,
    pub(super) heartbeat: Duration,
}

/// Opens the stream and waits to be welcomed.
pub(super) async fn connect(
    mut client: SessionServiceClient<GrpcChannel>,
    edge_id: Arc<str>,
) -> Result<(Connected, mpsc::Sender<ConnectRequest>), Status> {
    let (outbox, messages) = mpsc::channel(OUTBOX);
    let hello = connect_request::Message::Hello(Hello {
        edge_id: edge_id.to_string(),
    });
    outbox
        .try_send(ConnectRequest { message: Some(hello) })
        .map_err(|_| Status::internal("a new queue is full"))?;
    let welcomed = async {
        let opening = lasting(ReceiverStream::new(messages), WELCOME_TIMEOUT);
        let mut inbox = client.connect(opening).await?.into_inner();
        loop {
            match inbox.message().await? {
                Some(ConnectResponse {
                    message: Some(connect_response::Message::Welcome(welcome)),
                }) => {
                    let heartbeat = Duration::from_millis(welcome.heartbeat_interval_ms.clamp(100, 60_000));
                    return Ok(Connected { inbox, heartbeat });
                }
                Some(_) => {}
                None => return Err(Status::unavailable("the session service ended the link")),
            }
        }
    };
    let connected = tokio::time::timeout(WELCOME_TIMEOUT, welcomed)
        .await
        .map_err(|_| Status::deadline_exceeded("the session service does not welcome the link"))??;
    Ok((connected, outbox))
}
