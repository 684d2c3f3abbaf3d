use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Definition, Hints, Tool};
use crate::{
    call::Call,
    content::{Annotations, Content, Role, ToolResult},
    error::Error,
    outcome::Outcome,
};

pub struct AnnotatedMessage;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Arguments {
    /// Type of message; each has its own priority and audience.
    #[schemars(title = "Message type")]
    message_type: MessageType,
    /// Whether to include an example image.
    #[schemars(title = "Include image")]
    #[serde(default)]
    include_image: bool,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum MessageType {
    Error,
    Success,
    Debug,
}

#[async_trait]
impl Tool for AnnotatedMessage {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "annotatedMessage",
            title: "Annotated Message",
            description: "Shows how annotations say for whom a piece of content is and how much it matters.",
            pictograph: "🏷",
            hints: Hints::PURE,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, arguments: Arguments, _: &Call) -> Result<Outcome<ToolResult>, Error> {
        let message = match arguments.message_type {
            MessageType::Error => {
                Content::annotated_text("Error: Operation failed", 1.0, &[Role::User, Role::Assistant])
            }
            MessageType::Success => {
                Content::annotated_text("Operation completed successfully", 0.7, &[Role::User])
            }
            MessageType::Debug => Content::annotated_text(
                "Debug: Cache hit ratio 0.95, latency 150ms",
                0.3,
                &[Role::Assistant],
            ),
        };
        let mut content = vec![message];
        if arguments.include_image {
            let annotations = Annotations {
                priority: 0.5,
                audience: &[Role::User],
            };
            content.push(Content::tiny_image(Some(annotations)));
        }
        Ok(Outcome::Result(ToolResult::content(content)))
    }
}
