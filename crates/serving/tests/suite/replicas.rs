//! What every server here has: health, reflection, and listeners of every kind.

use std::time::Duration;

use serving::{
    CancellationToken, GrpcLimits, GrpcServer, ListenAddr, Listener, Readiness, Reason, Replicas, Upstream,
    UpstreamSettings,
};
use tokio::sync::watch;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

struct Replica {
    url: String,
    readiness: watch::Sender<Readiness>,
    stop: CancellationToken,
}

async fn replica() -> Replica {
    let address: ListenAddr = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&address).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (readiness, receiver) = watch::channel(Readiness::Ready);
    let stop = CancellationToken::new();
    let limits = GrpcLimits {
        drain_ms: 50,
        ..GrpcLimits::default()
    };
    tokio::spawn(GrpcServer::new(limits).serve(listener, receiver, stop.clone()));
    Replica { url, readiness, stop }
}

fn connect(urls: &[&str]) -> Upstream {
    let replicas: Replicas = urls.join(",").parse().unwrap();
    Upstream::connect(
        "",
        replicas,
        UpstreamSettings::default(),
        CancellationToken::new(),
    )
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future)
        .await
        .expect("within ten seconds")
}

async fn call(upstream: &Upstream) -> Result<ServingStatus, tonic::Status> {
    let mut client = HealthClient::new(upstream.channel());
    Ok(client
        .check(HealthCheckRequest::default())
        .await?
        .into_inner()
        .status())
}

#[tokio::test]
async fn calls_go_on_while_one_replica_of_two_serves() {
    let (one, two) = (replica().await, replica().await);
    let upstream = connect(&[&one.url, &two.url]);
    soon(upstream.ready()).await;
    one.stop.cancel();
    let mut failures = 0;
    for _ in 0..200 {
        failures += usize::from(soon(call(&upstream)).await.is_err());
    }
    // Only a call that was under way at the moment of the stop may fail.
    assert!(failures <= 1, "{failures} of 200 calls failed");
    two.stop.cancel();
    soon(upstream.readiness().wait_for(|ready| *ready != Readiness::Ready))
        .await
        .unwrap();
    assert_eq!(
        soon(call(&upstream)).await.unwrap_err().code(),
        tonic::Code::Unavailable
    );
}

#[tokio::test]
async fn a_replica_that_is_not_ready_is_left_alone_until_it_is() {
    let (one, two) = (replica().await, replica().await);
    one.readiness
        .send_replace(Readiness::NotReady(Reason::RedisLoading));
    let upstream = connect(&[&one.url, &two.url]);
    soon(upstream.ready()).await;
    for _ in 0..50 {
        // The one that is not ready would answer NOT_SERVING.
        assert_eq!(soon(call(&upstream)).await.unwrap(), ServingStatus::Serving);
    }
    two.stop.cancel();
    soon(upstream.readiness().wait_for(|ready| *ready != Readiness::Ready))
        .await
        .unwrap();
    one.readiness.send_replace(Readiness::Ready);
    soon(upstream.ready()).await;
    assert_eq!(soon(call(&upstream)).await.unwrap(), ServingStatus::Serving);
}

#[tokio::test]
async fn unix_sockets_and_memory_serve_alike() {
    let path = std::env::temp_dir().join(format!("serving-test-{}.sock", std::process::id()));
    let address: ListenAddr = format!("unix:{}", path.display()).parse().unwrap();
    let unix = Listener::bind(&address).await.unwrap();
    let (memory, in_process) = serving::memory();
    let stop = CancellationToken::new();
    for listener in [unix, memory] {
        tokio::spawn(GrpcServer::new(GrpcLimits::default()).serve(
            listener,
            serving::always_ready(),
            stop.clone(),
        ));
    }
    for replicas in [address.to_string().parse().unwrap(), in_process] {
        let upstream = Upstream::connect("", replicas, UpstreamSettings::default(), stop.clone());
        soon(upstream.ready()).await;
        assert_eq!(soon(call(&upstream)).await.unwrap(), ServingStatus::Serving);
    }
    soon(serving::healthcheck(&address, None)).await.unwrap();
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn reflection_names_the_services() {
    let one = replica().await;
    let upstream = connect(&[&one.url]);
    soon(upstream.ready()).await;
    let request = ServerReflectionRequest {
        message_request: Some(MessageRequest::FileContainingSymbol(
            "everything.session.v1.SessionService".to_owned(),
        )),
        ..ServerReflectionRequest::default()
    };
    let mut client = ServerReflectionClient::new(upstream.channel());
    let mut answers = soon(client.server_reflection_info(tokio_stream::iter([request])))
        .await
        .unwrap()
        .into_inner();
    let answer = soon(answers.message())
        .await
        .unwrap()
        .unwrap()
        .message_response
        .unwrap();
    assert!(
        matches!(answer, MessageResponse::FileDescriptorResponse(files) if !files.file_descriptor_proto.is_empty())
    );
}

#[tokio::test]
async fn a_replica_that_accepts_and_never_answers_costs_one_deadline() {
    // Accepts connections, says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let settings = UpstreamSettings {
        timeout: Duration::from_millis(200),
        ..UpstreamSettings::default()
    };
    let upstream = Upstream::connect("", url.parse().unwrap(), settings, CancellationToken::new());
    let status = soon(call(&upstream)).await.unwrap_err();
    assert!(
        matches!(
            status.code(),
            tonic::Code::DeadlineExceeded | tonic::Code::Unavailable
        ),
        "{status}"
    );
}
