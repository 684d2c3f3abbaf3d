//! The exact values that the suite's scenarios document, through the handlers. The suite itself asserts far less.

mod asking;
mod lists;
mod prompts;
mod resources;
mod rounds;
mod tools;

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use change_feed::{ChangeFeed, MemoryFeed};
use everything_proto::feature::v1::{
    CallContext, CallEvent, CallToolRequest, ClientCapabilities, Error, GetPromptRequest, InputRequired,
    ReadResourceRequest, SubscribeRequest, call_event::Event, feature_service_server::FeatureService,
    input_request::Request as Asked,
};
use futures::StreamExt;
use serde_json::{Value, json};
use tonic::{Request, Response, Status};

use super::{Events, Handlers};

/// A client of the fixtures that declared every capability.
struct Client {
    handlers: Handlers,
    changes: Arc<MemoryFeed>,
    capabilities: ClientCapabilities,
}

impl Client {
    fn new() -> Self {
        Self::declaring(ClientCapabilities {
            sampling: true,
            elicitation_form: true,
            roots: true,
            ..ClientCapabilities::default()
        })
    }

    fn declaring(capabilities: ClientCapabilities) -> Self {
        let changes = Arc::new(MemoryFeed::new());
        Self {
            handlers: Handlers::new(changes.clone()),
            changes,
            capabilities,
        }
    }

    fn context(&self, inputs: Value, state: &[u8]) -> CallContext {
        let inputs_json: HashMap<_, _> = inputs
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, input)| (key.clone(), Bytes::from(input.to_string())))
            .collect();
        CallContext {
            client_capabilities: Some(self.capabilities.clone()),
            inputs_json,
            state: Bytes::copy_from_slice(state),
            wants_progress: true,
            ..CallContext::default()
        }
    }

    /// All events of one round of a tool call.
    async fn events(&self, name: &str, arguments: Value, inputs: Value, state: &[u8]) -> Vec<Event> {
        let request = CallToolRequest {
            context: Some(self.context(inputs, state)),
            name: name.to_owned(),
            arguments_json: if arguments.is_null() {
                Bytes::new()
            } else {
                arguments.to_string().into()
            },
        };
        all(self.handlers.call_tool(Request::new(request)).await).await
    }

    /// The single, terminal event of one round of a tool call.
    async fn round(&self, name: &str, arguments: Value, inputs: Value, state: &[u8]) -> Event {
        only(self.events(name, arguments, inputs, state).await)
    }

    /// The result of a tool that neither asks nor reports.
    async fn result(&self, name: &str, arguments: Value) -> Value {
        result(self.round(name, arguments, Value::Null, b"").await)
    }

    async fn prompt(&self, name: &str, arguments: &[(&str, &str)], inputs: Value) -> Event {
        let arguments = arguments
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let request = GetPromptRequest {
            context: Some(self.context(inputs, b"")),
            name: name.to_owned(),
            arguments: arguments.collect(),
        };
        only(all(self.handlers.get_prompt(Request::new(request)).await).await)
    }

    async fn read(&self, uri: &str) -> Event {
        let request = ReadResourceRequest {
            context: None,
            uri: uri.to_owned(),
        };
        only(all(self.handlers.read_resource(Request::new(request)).await).await)
    }

    async fn subscribe(&self, uri: &str) -> Event {
        let request = SubscribeRequest {
            context: None,
            uri: uri.to_owned(),
        };
        only(all(self.handlers.subscribe(Request::new(request)).await).await)
    }
}

async fn all(response: Result<Response<Events>, Status>) -> Vec<Event> {
    response
        .unwrap()
        .into_inner()
        .map(|event: Result<CallEvent, _>| event.unwrap().event.unwrap())
        .collect()
        .await
}

fn only(mut events: Vec<Event>) -> Event {
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn result(event: Event) -> Value {
    match event {
        Event::Result(result) => parsed(&result.result_json),
        other => panic!("not a result: {other:?}"),
    }
}

fn error(event: Event) -> Error {
    match event {
        Event::Error(error) => error,
        other => panic!("not an error: {other:?}"),
    }
}

fn asked(event: Event) -> InputRequired {
    match event {
        Event::InputRequired(asked) => asked,
        other => panic!("asks nothing: {other:?}"),
    }
}

/// The questions as the edge words them: key, method and params.
fn questions(asked: &InputRequired) -> Value {
    let questions = asked.requests.iter().map(|question| {
        let (method, params) = match question.request.as_ref().unwrap() {
            Asked::SamplingJson(params) => ("sampling/createMessage", parsed(params)),
            Asked::ElicitationFormJson(params) => ("elicitation/create", parsed(params)),
            Asked::ElicitationUrlJson(params) => ("elicitation/create", parsed(params)),
            Asked::ListRoots(_) => ("roots/list", json!({})),
        };
        (
            question.key.clone(),
            json!({ "method": method, "params": params }),
        )
    });
    Value::Object(questions.collect())
}

fn parsed(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap()
}

fn text(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}

/// A form that the user accepted.
fn accepted(content: Value) -> Value {
    json!({ "action": "accept", "content": content })
}
