//! A feature service with two slow tools, of which one says that it may be run twice, and which counts their runs.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use everything_proto::feature::v1::{
    CallEvent, CallToolRequest, Capabilities, CompleteRequest, CompleteResponse, DescribeRequest,
    DescribeResponse, GetPromptRequest, ListPromptsRequest, ListPromptsResponse,
    ListResourceTemplatesRequest, ListResourceTemplatesResponse, ListResourcesRequest, ListResourcesResponse,
    ListToolsRequest, ListToolsResponse, Log, LogLevel, Progress, ReadResourceRequest, Result as CallResult,
    SubscribeRequest, Tool, ToolAnnotations,
    call_event::Event,
    feature_service_server::{FeatureService, FeatureServiceServer},
};
use futures::stream::BoxStream;
use serde_json::json;
use serving::{CancellationToken, GrpcLimits, GrpcServer, Listener};
use tokio::{runtime::Runtime, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// How often each tool was run.
#[derive(Default)]
pub struct Runs {
    repeatable: AtomicUsize,
    once: AtomicUsize,
}

/// A replica, until dropped: then it is gone as a process that was killed is.
pub struct Replica(Option<Runtime>);

#[derive(Clone)]
struct Slow(Arc<Runs>);

impl Runs {
    pub fn repeatable(&self) -> usize {
        self.repeatable.load(Ordering::SeqCst)
    }

    pub fn once(&self) -> usize {
        self.once.load(Ordering::SeqCst)
    }
}

impl Replica {
    pub async fn start(socket: &Path, runs: &Arc<Runs>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let address = format!("unix:{}", socket.display()).parse().unwrap();
        let service = FeatureServiceServer::new(Slow(runs.clone()));
        let bound = runtime.spawn(async move {
            let listener = Listener::bind(&address).await.unwrap();
            let server = GrpcServer::new(GrpcLimits::default()).add_service(service);
            tokio::spawn(server.serve(listener, serving::always_ready(), CancellationToken::new()));
        });
        bound.await.unwrap();
        Self(Some(runtime))
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

type Events = BoxStream<'static, Result<CallEvent, Status>>;

#[tonic::async_trait]
impl FeatureService for Slow {
    type CallToolStream = Events;
    type ReadResourceStream = Events;
    type GetPromptStream = Events;
    type SubscribeStream = Events;

    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(DescribeResponse {
            name: "slow".to_owned(),
            version: "1".to_owned(),
            capabilities: Some(Capabilities {
                tools: true,
                ..Default::default()
            }),
            ..Default::default()
        }))
    }

    async fn list_tools(&self, _: Request<ListToolsRequest>) -> Result<Response<ListToolsResponse>, Status> {
        let tool = |name: &str, idempotent| Tool {
            name: name.to_owned(),
            input_schema_json: b"{\"type\":\"object\"}".as_slice().into(),
            annotations: Some(ToolAnnotations {
                idempotent: Some(idempotent),
                ..Default::default()
            }),
            ..Default::default()
        };
        Ok(Response::new(ListToolsResponse {
            tools: vec![tool("repeatable", true), tool("once", false)],
            ..Default::default()
        }))
    }

    /// `steps` reports of progress, `pause_ms` apart, each after a log message that names the run and is `bytes` long. After
    /// the step `stalls_after` the first run says nothing any more.
    async fn call_tool(&self, request: Request<CallToolRequest>) -> Result<Response<Events>, Status> {
        let request = request.into_inner();
        let counter = match request.name.as_str() {
            "repeatable" => &self.0.repeatable,
            _ => &self.0.once,
        };
        let run = counter.fetch_add(1, Ordering::SeqCst) + 1;
        let arguments: serde_json::Value = serde_json::from_slice(&request.arguments_json).unwrap();
        let steps = arguments["steps"].as_u64().unwrap();
        let padding = "x".repeat(arguments["bytes"].as_u64().unwrap_or_default() as usize);
        let pause = Duration::from_millis(arguments["pause_ms"].as_u64().unwrap());
        let (events, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let say = async |event| events.send(Ok(CallEvent { event: Some(event) })).await;
            for step in 1..=steps {
                if run == 1 && arguments["stalls_after"] == step - 1 {
                    return events.closed().await;
                }
                tokio::time::sleep(pause).await;
                let log = Log {
                    level: LogLevel::Info.into(),
                    logger: "slow".to_owned(),
                    data_json: json!({ "run": run, "step": step, "padding": padding })
                        .to_string()
                        .into(),
                };
                let progress = Progress {
                    progress: step as f64,
                    ..Default::default()
                };
                if say(Event::Log(log)).await.is_err() || say(Event::Progress(progress)).await.is_err() {
                    return;
                }
            }
            let result = json!({ "content": [{ "type": "text", "text": format!("run {run}") }] });
            let result = CallResult {
                result_json: result.to_string().into(),
                ..Default::default()
            };
            _ = say(Event::Result(result)).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn list_resources(
        &self,
        _: Request<ListResourcesRequest>,
    ) -> Result<Response<ListResourcesResponse>, Status> {
        Err(Status::unimplemented("no resources"))
    }

    async fn list_resource_templates(
        &self,
        _: Request<ListResourceTemplatesRequest>,
    ) -> Result<Response<ListResourceTemplatesResponse>, Status> {
        Err(Status::unimplemented("no resources"))
    }

    async fn list_prompts(
        &self,
        _: Request<ListPromptsRequest>,
    ) -> Result<Response<ListPromptsResponse>, Status> {
        Err(Status::unimplemented("no prompts"))
    }

    async fn complete(&self, _: Request<CompleteRequest>) -> Result<Response<CompleteResponse>, Status> {
        Err(Status::unimplemented("no completions"))
    }

    async fn read_resource(&self, _: Request<ReadResourceRequest>) -> Result<Response<Events>, Status> {
        Err(Status::unimplemented("no resources"))
    }

    async fn get_prompt(&self, _: Request<GetPromptRequest>) -> Result<Response<Events>, Status> {
        Err(Status::unimplemented("no prompts"))
    }

    async fn subscribe(&self, _: Request<SubscribeRequest>) -> Result<Response<Events>, Status> {
        Err(Status::unimplemented("no resources"))
    }
}
