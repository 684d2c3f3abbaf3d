use std::{collections::HashMap, sync::Arc, time::Duration};

use change_feed::{ChangeFeed, MemoryFeed};
use everything_feature::{Config, Dependencies, Service, store::MemoryStore};
use everything_proto::feature::v1::{
    CallContext, CallEvent, CallToolRequest, ClientCapabilities, CompleteRequest, CompleteResponse, Error,
    GetPromptRequest, InputRequired, Principal, ReadResourceRequest, SubscribeRequest, call_event::Event,
    complete_request::Reference, feature_service_client::FeatureServiceClient,
};
use serde_json::Value;
use serving::{CancellationToken, GrpcChannel, GrpcLimits, Upstream, UpstreamSettings};
use tokio_util::sync::DropGuard;
use tonic::Streaming;

/// A running feature service and a client of it.
pub struct Feature {
    pub client: FeatureServiceClient<GrpcChannel>,
    pub feed: MemoryFeed,
    _stop: Option<DropGuard>,
}

impl Feature {
    pub async fn start() -> Self {
        Self::start_with(quiet()).await
    }

    pub async fn start_with(config: Config) -> Self {
        let feed = MemoryFeed::new();
        let dependencies = Dependencies::memory(&config, feed.clone());
        let (client, stop) = serve(config, dependencies).await;
        Self {
            client,
            feed,
            _stop: Some(stop),
        }
    }

    /// One that somebody else stops.
    pub fn of(client: FeatureServiceClient<GrpcChannel>, feed: MemoryFeed) -> Self {
        Self {
            client,
            feed,
            _stop: None,
        }
    }

    /// All events of a tool call.
    pub async fn call_in(&self, context: CallContext, name: &str, arguments: Value) -> Vec<Event> {
        collect(self.open(context, name, arguments).await).await
    }

    pub async fn open(&self, context: CallContext, name: &str, arguments: Value) -> Streaming<CallEvent> {
        let arguments_json = arguments.to_string().into();
        let request = CallToolRequest {
            context: Some(context),
            name: name.to_owned(),
            arguments_json,
        };
        self.client.clone().call_tool(request).await.unwrap().into_inner()
    }

    /// The result of a tool call of alice's, which tells nothing before.
    pub async fn call(&self, name: &str, arguments: Value) -> Value {
        result(self.call_in(alice(), name, arguments).await)
    }

    pub async fn read(&self, context: CallContext, uri: &str) -> Vec<Event> {
        let request = ReadResourceRequest {
            context: Some(context),
            uri: uri.to_owned(),
        };
        collect(
            self.client
                .clone()
                .read_resource(request)
                .await
                .unwrap()
                .into_inner(),
        )
        .await
    }

    pub async fn subscribe(&self, context: CallContext, uri: &str) -> Vec<Event> {
        let request = SubscribeRequest {
            context: Some(context),
            uri: uri.to_owned(),
        };
        collect(self.client.clone().subscribe(request).await.unwrap().into_inner()).await
    }

    pub async fn prompt(&self, name: &str, arguments: &[(&str, &str)]) -> Vec<Event> {
        let request = GetPromptRequest {
            context: Some(alice()),
            name: name.to_owned(),
            arguments: strings(arguments),
        };
        collect(
            self.client
                .clone()
                .get_prompt(request)
                .await
                .unwrap()
                .into_inner(),
        )
        .await
    }

    pub async fn complete(
        &self,
        reference: Reference,
        argument: &str,
        value: &str,
        resolved: &[(&str, &str)],
    ) -> CompleteResponse {
        let request = CompleteRequest {
            context: Some(alice()),
            reference: Some(reference),
            argument: argument.to_owned(),
            value: value.to_owned(),
            resolved_arguments: strings(resolved),
        };
        self.client.clone().complete(request).await.unwrap().into_inner()
    }
}

/// Serves in this process and waits until it is ready.
pub async fn serve(
    config: Config,
    dependencies: Dependencies,
) -> (FeatureServiceClient<GrpcChannel>, DropGuard) {
    let shutdown = CancellationToken::new();
    let (listener, replicas) = serving::memory();
    let service = Service::build(config, GrpcLimits::default(), dependencies).unwrap();
    tokio::spawn(service.serve(listener, shutdown.clone()));
    let name = "everything.feature.v1.FeatureService";
    let upstream = Upstream::connect(name, replicas, UpstreamSettings::default(), shutdown.clone());
    tokio::time::timeout(Duration::from_secs(10), upstream.ready())
        .await
        .expect("the service becomes ready");
    (
        FeatureServiceClient::new(upstream.channel()),
        shutdown.drop_guard(),
    )
}

/// Without periodic changes.
pub fn quiet() -> Config {
    Config {
        resource_update_period_ms: 0,
        random_log_period_ms: 0,
        stderr_period_ms: 0,
        ..Config::default()
    }
}

/// What two replicas of one deployment share.
pub fn shared(config: &Config) -> (Dependencies, MemoryFeed) {
    let feed = MemoryFeed::new();
    let dependencies = Dependencies {
        store: Arc::new(MemoryStore::new(config.limits())),
        feed: Arc::new(feed.clone()) as Arc<dyn ChangeFeed>,
        readiness: serving::always_ready(),
        metrics: telemetry::Metrics::none(),
    };
    (dependencies, feed)
}

/// A user with a session and a client that can do everything.
pub fn alice() -> CallContext {
    CallContext {
        principal: Some(Principal {
            user_id: "alice".to_owned(),
            ..Principal::default()
        }),
        session_key: "alice-session".to_owned(),
        client_capabilities: Some(ClientCapabilities {
            sampling: true,
            sampling_tools: true,
            sampling_context: true,
            elicitation_form: true,
            elicitation_url: true,
            roots: true,
            extensions_json: HashMap::new(),
        }),
        ..CallContext::default()
    }
}

/// Another user, whose client can do nothing.
pub fn bob() -> CallContext {
    CallContext {
        principal: Some(Principal {
            user_id: "bob".to_owned(),
            ..Principal::default()
        }),
        session_key: "bob-session".to_owned(),
        ..CallContext::default()
    }
}

pub async fn collect(mut stream: Streaming<CallEvent>) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = stream.message().await.unwrap() {
        events.push(event.event.expect("an event"));
    }
    events
}

pub fn result(events: Vec<Event>) -> Value {
    match <[Event; 1]>::try_from(events) {
        Ok([Event::Result(result)]) => json(&result.result_json),
        other => panic!("expected one result, got {other:?}"),
    }
}

pub fn error(events: Vec<Event>) -> Error {
    match <[Event; 1]>::try_from(events) {
        Ok([Event::Error(error)]) => error,
        other => panic!("expected one error, got {other:?}"),
    }
}

pub fn input_required(events: Vec<Event>) -> InputRequired {
    match <[Event; 1]>::try_from(events) {
        Ok([Event::InputRequired(required)]) => required,
        other => panic!("expected questions, got {other:?}"),
    }
}

pub fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn strings(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs
        .iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
