//! What lists answer. Each has a single page.

use everything_proto::feature::v1::{
    CacheHint, Capabilities, DescribeResponse, Error, ListPromptsResponse, ListResourceTemplatesResponse,
    ListResourcesResponse, ListToolsResponse, Prompt, PromptArgument, Resource, ResourceTemplate, Tool,
    ToolAnnotations, cache_hint::Scope, tool::TaskSupport,
};

use super::translate;
use crate::{
    call::Failure,
    prompts::PROMPTS,
    resources,
    tools::{Tasks, Tools},
};

/// Fixtures never change and are the same for everybody.
pub const CACHE: CacheHint = CacheHint {
    ttl_ms: 60_000,
    scope: Scope::Public as i32,
};

pub fn describe() -> DescribeResponse {
    DescribeResponse {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: "Everything Server, conformance fixtures".to_owned(),
        description: "The tools, resources and prompts that the MCP conformance suite calls".to_owned(),
        instructions: "Fixtures for automated conformance tests.".to_owned(),
        capabilities: Some(Capabilities {
            tools: true,
            tools_list_changed: true,
            resources: true,
            resources_list_changed: false,
            resources_subscribe: true,
            prompts: true,
            prompts_list_changed: true,
            logging: true,
            completions: true,
            tasks: true,
            ..Capabilities::default()
        }),
        ..DescribeResponse::default()
    }
}

pub fn tools(tools: &Tools, cursor: Option<String>) -> ListToolsResponse {
    if let Some(error) = refused(cursor) {
        return ListToolsResponse {
            error: Some(error),
            ..Default::default()
        };
    }
    let tools = tools
        .iter()
        .map(|tool| Tool {
            name: tool.name.to_owned(),
            description: tool.description.to_owned(),
            input_schema_json: translate::json(&tool.input_schema),
            annotations: Some(ToolAnnotations {
                read_only: Some(tool.read_only),
                ..ToolAnnotations::default()
            }),
            task_support: match tool.tasks {
                Tasks::Never => TaskSupport::Forbidden,
                Tasks::Optional => TaskSupport::Optional,
                Tasks::Required | Tasks::RequiredWithAnswers => TaskSupport::Required,
            }
            .into(),
            asks_before_task: tool.tasks == Tasks::RequiredWithAnswers,
            ..Tool::default()
        })
        .collect();
    ListToolsResponse {
        tools,
        cache: Some(CACHE),
        ..Default::default()
    }
}

pub fn resources(cursor: Option<String>) -> ListResourcesResponse {
    if let Some(error) = refused(cursor) {
        return ListResourcesResponse {
            error: Some(error),
            ..Default::default()
        };
    }
    let resources = resources::RESOURCES
        .iter()
        .map(|resource| Resource {
            uri: resource.uri.to_owned(),
            name: resource.name.to_owned(),
            description: resource.description.to_owned(),
            mime_type: resource.mime_type.to_owned(),
            ..Resource::default()
        })
        .collect();
    ListResourcesResponse {
        resources,
        cache: Some(CACHE),
        ..Default::default()
    }
}

pub fn resource_templates(cursor: Option<String>) -> ListResourceTemplatesResponse {
    if let Some(error) = refused(cursor) {
        return ListResourceTemplatesResponse {
            error: Some(error),
            ..Default::default()
        };
    }
    let template = ResourceTemplate {
        uri_template: resources::TEMPLATE.to_owned(),
        name: "Dynamic Resource Template".to_owned(),
        description: "A resource template with parameter substitution".to_owned(),
        mime_type: "application/json".to_owned(),
        ..ResourceTemplate::default()
    };
    ListResourceTemplatesResponse {
        resource_templates: vec![template],
        cache: Some(CACHE),
        ..Default::default()
    }
}

pub fn prompts(cursor: Option<String>) -> ListPromptsResponse {
    if let Some(error) = refused(cursor) {
        return ListPromptsResponse {
            error: Some(error),
            ..Default::default()
        };
    }
    let prompts = PROMPTS
        .iter()
        .map(|prompt| Prompt {
            name: prompt.name.to_owned(),
            description: prompt.description.to_owned(),
            arguments: prompt
                .arguments
                .iter()
                .map(|(name, description)| PromptArgument {
                    name: (*name).to_owned(),
                    description: (*description).to_owned(),
                    required: true,
                    ..PromptArgument::default()
                })
                .collect(),
            ..Prompt::default()
        })
        .collect();
    ListPromptsResponse {
        prompts,
        cache: Some(CACHE),
        ..Default::default()
    }
}

/// No page has a successor, so no cursor is valid.
fn refused(cursor: Option<String>) -> Option<Error> {
    cursor.map(|_| translate::failure(Failure::invalid_params("unknown cursor")))
}
