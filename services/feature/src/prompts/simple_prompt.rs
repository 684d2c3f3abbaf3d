use std::collections::HashMap;

use super::{Definition, Prompt};
use crate::{
    content::{Content, PromptMessage, PromptResult, Role},
    error::McpError,
};

pub struct SimplePrompt;

impl Prompt for SimplePrompt {
    fn definition(&self) -> Definition {
        Definition {
            name: "simple_prompt",
            title: "Simple Prompt",
            description: "A prompt without arguments",
            pictograph: "💬",
            arguments: &[],
        }
    }

    fn get(&self, _: &HashMap<String, String>) -> Result<PromptResult, McpError> {
        Ok(PromptResult {
            description: "A prompt without arguments",
            messages: vec![PromptMessage {
                role: Role::User,
                content: Content::text("This is a simple prompt without arguments."),
            }],
        })
    }

    fn candidates(&self, _: &str, _: &HashMap<String, String>) -> Vec<String> {
        Vec::new()
    }
}
