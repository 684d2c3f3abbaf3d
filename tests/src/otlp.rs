//! An OTLP/gRPC receiver on the official proto: keeps what processes export, for tests to look at.

mod span;
mod tree;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{
            ExportLogsServiceRequest, ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    logs::v1::ResourceLogs,
    metrics::v1::ResourceMetrics,
};
use serving::testing::Issued;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Request, Response, Status,
    transport::{Identity, Server, ServerTlsConfig},
};

pub use span::{Kind, Span, StatusCode};
pub use tree::{Tree, difference};

/// How long an exporter may take to send what has ended.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running receiver. It ends when dropped.
pub struct OtlpReceiver {
    scheme: &'static str,
    address: SocketAddr,
    received: Arc<Received>,
    _stop: DropGuard,
}

#[derive(Default)]
struct Received {
    spans: Mutex<Vec<Span>>,
    metrics: Mutex<Vec<ResourceMetrics>>,
    logs: Mutex<Vec<ResourceLogs>>,
}

impl OtlpReceiver {
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// The same, at an address that exporters know already.
    pub async fn start_at(address: SocketAddr) -> anyhow::Result<Self> {
        Self::serve("http", Server::builder(), address).await
    }

    /// With TLS, by this certificate.
    pub async fn start_with_tls(issued: &Issued) -> anyhow::Result<Self> {
        let identity = Identity::from_pem(&issued.cert, &issued.key);
        let server = Server::builder().tls_config(ServerTlsConfig::new().identity(identity))?;
        Self::serve("https", server, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    async fn serve(scheme: &'static str, mut server: Server, address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let received = Arc::<Received>::default();
        let stop = CancellationToken::new();
        let server = server
            .add_service(TraceServiceServer::from_arc(received.clone()))
            .add_service(MetricsServiceServer::from_arc(received.clone()))
            .add_service(LogsServiceServer::from_arc(received.clone()))
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.clone().cancelled_owned());
        tokio::spawn(server);
        Ok(Self {
            scheme,
            address,
            received,
            _stop: stop.drop_guard(),
        })
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Settings that have a process export here, and soon.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.endpoint()),
            ("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned()),
        ]
    }

    /// Every span so far, in the order of their beginning.
    pub fn spans(&self) -> Vec<Span> {
        let mut spans = lock(&self.received.spans).clone();
        spans.sort_by_key(|span| span.start_ns);
        spans
    }

    /// Every export of metrics so far.
    pub fn metrics(&self) -> Vec<ResourceMetrics> {
        lock(&self.received.metrics).clone()
    }

    /// Every export of logs so far.
    pub fn logs(&self) -> Vec<ResourceLogs> {
        lock(&self.received.logs).clone()
    }

    /// Everything that was received, as text to search in.
    pub fn text(&self) -> String {
        format!("{:?}\n{:?}\n{:?}", self.spans(), self.metrics(), self.logs())
    }

    /// The spans, as soon as `wanted` finds in them what it looks for; none if it never does.
    pub async fn spans_until<T>(&self, mut wanted: impl FnMut(&[Span]) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = wanted(&self.spans()) {
                return Some(found);
            }
            if Instant::now() > deadline {
                return None;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a trace looks like `expected` (see [`Tree`]); panics with the difference if it never does.
    pub async fn expect_tree(
        &self,
        trace_id: &str,
        show: impl Fn(&Span) -> bool,
        expected: &str,
    ) -> Vec<Span> {
        let expected = tree::unindented(expected);
        let mut seen = String::new();
        let found = self
            .spans_until(|spans| {
                seen = Tree::of(spans, trace_id, &show).to_string();
                (seen == expected).then(|| {
                    let same = |span: &&Span| span.trace_id == trace_id;
                    spans.iter().filter(same).cloned().collect()
                })
            })
            .await;
        found.unwrap_or_else(|| panic!("the trace is another one:\n{}", difference(&expected, &seen)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let spans = request
            .into_inner()
            .resource_spans
            .into_iter()
            .flat_map(Span::all_of);
        lock(&self.spans).extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Received {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        lock(&self.metrics).extend(request.into_inner().resource_metrics);
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Received {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        lock(&self.logs).extend(request.into_inner().resource_logs);
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}
