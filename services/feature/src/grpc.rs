//! The feature contract over gRPC: translates, calls, translates.

mod stream;
mod translate;

use std::sync::Arc;

use everything_proto::feature::v1::{
    self as proto, CallEvent, CallToolRequest, CompleteRequest, CompleteResponse, DescribeRequest,
    DescribeResponse, GetPromptRequest, ListPromptsRequest, ListPromptsResponse,
    ListResourceTemplatesRequest, ListResourceTemplatesResponse, ListResourcesRequest, ListResourcesResponse,
    ListToolsRequest, ListToolsResponse, ReadResourceRequest, SubscribeRequest, complete_request,
    feature_service_server::FeatureService,
};
use futures::stream::BoxStream;
use serde::Serialize;
use serde_json::json;
use tonic::{Request, Response, Status};

use crate::{
    completion::{self, Reference},
    error::Error,
    features::Features,
    resources::{CacheHint, refuse_cursor},
};

/// Serves [`Features`] as `FeatureService`.
pub struct Grpc(Arc<Features>);

type Events = BoxStream<'static, Result<CallEvent, Status>>;

impl Grpc {
    pub fn new(features: Arc<Features>) -> Self {
        Self(features)
    }
}

#[tonic::async_trait]
impl FeatureService for Grpc {
    type CallToolStream = Events;
    type ReadResourceStream = Events;
    type GetPromptStream = Events;
    type SubscribeStream = Events;

    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(translate::description()))
    }

    async fn list_tools(
        &self,
        request: Request<ListToolsRequest>,
    ) -> Result<Response<ListToolsResponse>, Status> {
        let request = request.into_inner();
        let caller = translate::caller(request.context.unwrap_or_default());
        let listed = async {
            refuse_cursor(request.cursor.as_deref())?;
            Ok(self.0.tools.list(&caller).await?.map(translate::tool).collect())
        };
        let response = match listed.await {
            Ok(tools) => ListToolsResponse {
                tools,
                cache: Some(translate::cache(CacheHint::OWN)),
                ..ListToolsResponse::default()
            },
            Err(error) => {
                let error = Some(translate::in_band(error)?);
                ListToolsResponse {
                    error,
                    ..ListToolsResponse::default()
                }
            }
        };
        Ok(Response::new(response))
    }

    async fn list_resources(
        &self,
        request: Request<ListResourcesRequest>,
    ) -> Result<Response<ListResourcesResponse>, Status> {
        let request = request.into_inner();
        let caller = translate::caller(request.context.unwrap_or_default());
        let response = match self.0.resources.list(&caller, request.cursor.as_deref()).await {
            Ok(page) => ListResourcesResponse {
                resources: page.resources.into_iter().map(translate::resource).collect(),
                next_cursor: page.next_cursor,
                cache: Some(translate::cache(page.cache)),
                error: None,
            },
            Err(error) => {
                let error = Some(translate::in_band(error)?);
                ListResourcesResponse {
                    error,
                    ..ListResourcesResponse::default()
                }
            }
        };
        Ok(Response::new(response))
    }

    async fn list_resource_templates(
        &self,
        request: Request<ListResourceTemplatesRequest>,
    ) -> Result<Response<ListResourceTemplatesResponse>, Status> {
        let response = match refuse_cursor(request.into_inner().cursor.as_deref()) {
            Ok(()) => ListResourceTemplatesResponse {
                resource_templates: self
                    .0
                    .resources
                    .templates()
                    .into_iter()
                    .map(translate::template)
                    .collect(),
                cache: Some(translate::cache(CacheHint::FIXED)),
                ..ListResourceTemplatesResponse::default()
            },
            Err(error) => {
                let error = Some(translate::error(error));
                ListResourceTemplatesResponse {
                    error,
                    ..ListResourceTemplatesResponse::default()
                }
            }
        };
        Ok(Response::new(response))
    }

    async fn list_prompts(
        &self,
        request: Request<ListPromptsRequest>,
    ) -> Result<Response<ListPromptsResponse>, Status> {
        let request = request.into_inner();
        let caller = translate::caller(request.context.unwrap_or_default());
        let listed = async {
            refuse_cursor(request.cursor.as_deref())?;
            let prompts = self.0.prompts.list(&caller).await?;
            Ok(prompts.map(translate::prompt).collect())
        };
        let response = match listed.await {
            Ok(prompts) => ListPromptsResponse {
                prompts,
                cache: Some(translate::cache(CacheHint::OWN)),
                ..ListPromptsResponse::default()
            },
            Err(error) => {
                let error = Some(translate::in_band(error)?);
                ListPromptsResponse {
                    error,
                    ..ListPromptsResponse::default()
                }
            }
        };
        Ok(Response::new(response))
    }

    async fn complete(
        &self,
        request: Request<CompleteRequest>,
    ) -> Result<Response<CompleteResponse>, Status> {
        let request = request.into_inner();
        let reference = match &request.reference {
            Some(complete_request::Reference::Prompt(name)) => Reference::Prompt(name),
            Some(complete_request::Reference::ResourceTemplate(uri)) => Reference::ResourceTemplate(uri),
            None => return Err(Status::invalid_argument("the reference is missing")),
        };
        let completed = completion::complete(
            &self.0.prompts,
            reference,
            &request.argument,
            &request.value,
            &request.resolved_arguments,
        );
        Ok(Response::new(match completed {
            Ok(completion) => translate::completion(completion),
            Err(error) => CompleteResponse {
                error: Some(translate::error(error)),
                ..CompleteResponse::default()
            },
        }))
    }

    async fn call_tool(&self, request: Request<CallToolRequest>) -> Result<Response<Events>, Status> {
        let CallToolRequest {
            context,
            name,
            arguments_json,
        } = request.into_inner();
        let (call, events) = match translate::call(context.unwrap_or_default()) {
            Ok(call) => call,
            Err(error) => return Ok(Response::new(stream::only(translate::error(error)))),
        };
        let features = self.0.clone();
        let work = async move {
            let outcome = features.tools.call(&name, &arguments_json, &call).await?;
            translate::outcome(outcome)
        };
        Ok(Response::new(stream::of(work, events)))
    }

    async fn read_resource(&self, request: Request<ReadResourceRequest>) -> Result<Response<Events>, Status> {
        let ReadResourceRequest { context, uri } = request.into_inner();
        let caller = translate::caller(context.unwrap_or_default());
        let features = self.0.clone();
        Ok(Response::new(stream::once(async move {
            let (contents, cache) = features.resources.read(&caller, &uri).await?;
            result(&contents, Some(cache))
        })))
    }

    async fn get_prompt(&self, request: Request<GetPromptRequest>) -> Result<Response<Events>, Status> {
        let GetPromptRequest {
            context,
            name,
            arguments,
        } = request.into_inner();
        let caller = translate::caller(context.unwrap_or_default());
        let features = self.0.clone();
        Ok(Response::new(stream::once(async move {
            let prompt = features.prompts.get(&caller, &name, &arguments).await?;
            result(&prompt, None)
        })))
    }

    async fn subscribe(&self, request: Request<SubscribeRequest>) -> Result<Response<Events>, Status> {
        let SubscribeRequest { context, uri } = request.into_inner();
        let caller = translate::caller(context.unwrap_or_default());
        let features = self.0.clone();
        Ok(Response::new(stream::once(async move {
            features.resources.check(&caller, &uri).await?;
            result(&json!({}), None)
        })))
    }
}

fn result(value: &impl Serialize, cache: Option<CacheHint>) -> Result<proto::call_event::Event, Error> {
    Ok(proto::call_event::Event::Result(proto::Result {
        result_json: serde_json::to_vec(value)?.into(),
        cache: cache.map(translate::cache),
    }))
}
