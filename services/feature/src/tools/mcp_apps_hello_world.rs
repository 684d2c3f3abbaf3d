use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Definition, Hints, Tool};
use crate::{
    call::Call,
    content::{Content, ToolResult},
    error::Error,
    outcome::Outcome,
    resources::ui,
    schema,
};

pub struct McpAppsHelloWorld;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Who is greeted.
    #[schemars(title = "Name", length(min = 1, max = 100))]
    #[serde(default = "default_name")]
    name: String,
}

fn default_name() -> String {
    "World".to_owned()
}

#[derive(Serialize, JsonSchema)]
struct Greeting {
    /// The greeting that the app shows.
    #[schemars(title = "Greeting")]
    greeting: String,
    /// Who is greeted.
    #[schemars(title = "Name")]
    name: String,
}

#[async_trait]
impl Tool for McpAppsHelloWorld {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "mcpAppsHelloWorld",
            title: "MCP Apps Hello World",
            description: "Greets by name. Clients that support MCP Apps show the greeting in a little app, which can \
                          greet again.",
            pictograph: "👋",
            hints: Hints::PURE,
            output_schema: Some(schema::output::<Greeting>()),
            meta: Some(
                json!({ "ui": { "resourceUri": ui::HELLO_WORLD_URI, "visibility": ["model", "app"] } }),
            ),
        }
    }

    async fn call(&self, Arguments { name }: Arguments, _: &Call) -> Result<Outcome<ToolResult>, Error> {
        let greeting = format!("Hello, {name}!");
        Ok(Outcome::Result(ToolResult {
            content: vec![Content::text(&greeting)],
            structured_content: Some(serde_json::to_value(Greeting { greeting, name })?),
            is_error: false,
        }))
    }
}
