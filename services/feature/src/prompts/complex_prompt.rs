use std::collections::HashMap;

use super::{Argument, Definition, Prompt, owned};
use crate::{
    content::{Content, PromptMessage, PromptResult, Role},
    error::McpError,
};

pub struct ComplexPrompt;

impl Prompt for ComplexPrompt {
    fn definition(&self) -> Definition {
        Definition {
            name: "complex_prompt",
            title: "Complex Prompt",
            description: "A prompt with arguments, several messages and an image",
            pictograph: "🎛",
            arguments: &[
                Argument {
                    name: "temperature",
                    title: "Temperature",
                    description: "Temperature setting",
                    required: true,
                },
                Argument {
                    name: "style",
                    title: "Style",
                    description: "Output style",
                    required: false,
                },
            ],
        }
    }

    fn get(&self, arguments: &HashMap<String, String>) -> Result<PromptResult, McpError> {
        let temperature = arguments
            .get("temperature")
            .map(String::as_str)
            .unwrap_or_default();
        let mut given = format!("temperature={temperature}");
        if let Some(style) = arguments.get("style").filter(|style| !style.is_empty()) {
            given.push_str(&format!(", style={style}"));
        }
        let messages = [
            (
                Role::User,
                Content::text(format!("This is a complex prompt with arguments: {given}")),
            ),
            (
                Role::Assistant,
                Content::text(
                    "I understand. You've provided a complex prompt with temperature and style arguments. How would \
                     you like me to proceed?",
                ),
            ),
            (Role::User, Content::tiny_image(None)),
        ];
        Ok(PromptResult {
            description: "A prompt with arguments, several messages and an image",
            messages: messages
                .into_iter()
                .map(|(role, content)| PromptMessage { role, content })
                .collect(),
        })
    }

    fn candidates(&self, argument: &str, _: &HashMap<String, String>) -> Vec<String> {
        match argument {
            "temperature" => owned(&["0", "0.5", "0.7", "1.0"]),
            "style" => owned(&["casual", "formal", "technical", "friendly"]),
            _ => Vec::new(),
        }
    }
}
