//! The feature contract over the fixtures. Handlers translate, call, translate.

mod events;
mod lists;
#[cfg(test)]
mod tests;
mod translate;

use std::sync::Arc;

use change_feed::ChangeFeed;
use everything_proto::feature::v1::{
    CallEvent, CallToolRequest, CompleteRequest, CompleteResponse, DescribeRequest, DescribeResponse,
    GetPromptRequest, ListPromptsRequest, ListPromptsResponse, ListResourceTemplatesRequest,
    ListResourceTemplatesResponse, ListResourcesRequest, ListResourcesResponse, ListToolsRequest,
    ListToolsResponse, ReadResourceRequest, SubscribeRequest, complete_request::Reference,
    feature_service_server::FeatureService,
};
use futures::{StreamExt, stream::BoxStream};
use serde_json::{Map, Value};
use tonic::{Request, Response, Status};

use crate::{
    call::{Answer, Failure},
    prompts, resources,
    tools::Tools,
};

type Events = BoxStream<'static, Result<CallEvent, Status>>;

/// The gRPC face of the fixtures.
pub struct Handlers {
    tools: Arc<Tools>,
    changes: Arc<dyn ChangeFeed>,
}

impl Handlers {
    pub fn new(changes: Arc<dyn ChangeFeed>) -> Self {
        Self {
            tools: Arc::new(Tools::new()),
            changes,
        }
    }
}

#[tonic::async_trait]
impl FeatureService for Handlers {
    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(lists::describe()))
    }

    async fn list_tools(
        &self,
        request: Request<ListToolsRequest>,
    ) -> Result<Response<ListToolsResponse>, Status> {
        Ok(Response::new(lists::tools(
            &self.tools,
            request.into_inner().cursor,
        )))
    }

    async fn list_resources(
        &self,
        request: Request<ListResourcesRequest>,
    ) -> Result<Response<ListResourcesResponse>, Status> {
        Ok(Response::new(lists::resources(request.into_inner().cursor)))
    }

    async fn list_resource_templates(
        &self,
        request: Request<ListResourceTemplatesRequest>,
    ) -> Result<Response<ListResourceTemplatesResponse>, Status> {
        Ok(Response::new(lists::resource_templates(
            request.into_inner().cursor,
        )))
    }

    async fn list_prompts(
        &self,
        request: Request<ListPromptsRequest>,
    ) -> Result<Response<ListPromptsResponse>, Status> {
        Ok(Response::new(lists::prompts(request.into_inner().cursor)))
    }

    async fn complete(
        &self,
        request: Request<CompleteRequest>,
    ) -> Result<Response<CompleteResponse>, Status> {
        let CompleteRequest {
            reference,
            argument,
            value,
            ..
        } = request.into_inner();
        let completed = match reference {
            Some(Reference::Prompt(name)) => prompts::complete(&name, &argument, &value),
            Some(Reference::ResourceTemplate(template)) if template == resources::TEMPLATE => Ok(Vec::new()),
            Some(Reference::ResourceTemplate(template)) => Err(Failure::invalid_params(format!(
                "unknown resource template: {template}"
            ))),
            None => return Err(Status::invalid_argument("reference is missing")),
        };
        Ok(Response::new(translate::completion(completed)))
    }

    type CallToolStream = Events;

    async fn call_tool(&self, request: Request<CallToolRequest>) -> Result<Response<Events>, Status> {
        let CallToolRequest {
            context,
            name,
            arguments_json,
        } = request.into_inner();
        let arguments = match arguments_json.as_ref() {
            [] => Map::new(),
            bytes => match serde_json::from_slice(bytes) {
                Ok(Value::Object(arguments)) => arguments,
                Ok(_) | Err(_) => return ended(Err(Failure::invalid_params("arguments must be an object"))),
            },
        };
        let (call, reports) = translate::call(context, arguments, self.changes.clone())?;
        let tools = self.tools.clone();
        let work = async move { tools.call(&name, call).await };
        Ok(Response::new(events::of(work, reports).boxed()))
    }

    type ReadResourceStream = Events;

    async fn read_resource(&self, request: Request<ReadResourceRequest>) -> Result<Response<Events>, Status> {
        let ReadResourceRequest { context, uri } = request.into_inner();
        let (call, _) = translate::call(context, Map::new(), self.changes.clone())?;
        let event = translate::answer(resources::read(&uri, &call), Some(lists::CACHE));
        Ok(Response::new(futures::stream::once(async { Ok(event) }).boxed()))
    }

    type GetPromptStream = Events;

    async fn get_prompt(&self, request: Request<GetPromptRequest>) -> Result<Response<Events>, Status> {
        let GetPromptRequest {
            context,
            name,
            arguments,
        } = request.into_inner();
        let (call, _) = translate::call(context, Map::new(), self.changes.clone())?;
        ended(prompts::get(&name, &arguments.into_iter().collect(), &call))
    }

    type SubscribeStream = Events;

    async fn subscribe(&self, request: Request<SubscribeRequest>) -> Result<Response<Events>, Status> {
        ended(resources::subscribe(&request.into_inner().uri))
    }
}

/// A call that ends at once.
fn ended(answer: Answer) -> Result<Response<Events>, Status> {
    let event = translate::answer(answer, None);
    Ok(Response::new(futures::stream::once(async { Ok(event) }).boxed()))
}
