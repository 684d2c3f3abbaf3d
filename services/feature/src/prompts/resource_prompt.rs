use std::collections::HashMap;

use super::{Argument, Definition, Prompt};
use crate::{
    content::{Content, PromptMessage, PromptResult, Role},
    error::McpError,
    resources::static_resources::StaticResource,
};

pub struct ResourcePrompt;

impl Prompt for ResourcePrompt {
    fn definition(&self) -> Definition {
        Definition {
            name: "resource_prompt",
            title: "Resource Prompt",
            description: "A prompt that includes an embedded resource",
            pictograph: "📎",
            arguments: &[Argument {
                name: "resourceId",
                title: "Resource ID",
                description: "Resource ID to include (1-100)",
                required: true,
            }],
        }
    }

    fn get(&self, arguments: &HashMap<String, String>) -> Result<PromptResult, McpError> {
        let resource = arguments
            .get("resourceId")
            .and_then(|id| StaticResource::parse(id.trim()))
            .ok_or_else(|| {
                McpError::invalid_params("argument \"resourceId\" must be a number from 1 to 100")
            })?;
        let text = format!(
            "This prompt includes Resource {}. Please analyze the following resource:",
            resource.id()
        );
        let contents = [
            Content::text(text),
            Content::Resource {
                resource: resource.contents(),
            },
        ];
        Ok(PromptResult {
            description: "A prompt that includes an embedded resource",
            messages: contents
                .into_iter()
                .map(|content| PromptMessage {
                    role: Role::User,
                    content,
                })
                .collect(),
        })
    }

    fn candidates(&self, argument: &str, _: &HashMap<String, String>) -> Vec<String> {
        match argument {
            "resourceId" => StaticResource::ids_with_prefix(""),
            _ => Vec::new(),
        }
    }
}
