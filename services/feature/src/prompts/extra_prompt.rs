use std::collections::HashMap;

use super::{Definition, Prompt};
use crate::{
    content::{Content, PromptMessage, PromptResult, Role},
    error::McpError,
};

/// Is listed, and can be got, while `switchExtraPrompt` has it on.
pub struct ExtraPrompt;

impl Prompt for ExtraPrompt {
    fn definition(&self) -> Definition {
        Definition {
            name: "extra_prompt",
            title: "Extra Prompt",
            description: "Is there while switchExtraPrompt has it on",
            pictograph: "🧩",
            arguments: &[],
        }
    }

    fn get(&self, _: &HashMap<String, String>) -> Result<PromptResult, McpError> {
        Ok(PromptResult {
            description: "Is there while switchExtraPrompt has it on",
            messages: vec![PromptMessage {
                role: Role::User,
                content: Content::text("The extra prompt is there."),
            }],
        })
    }

    fn candidates(&self, _: &str, _: &HashMap<String, String>) -> Vec<String> {
        Vec::new()
    }
}
