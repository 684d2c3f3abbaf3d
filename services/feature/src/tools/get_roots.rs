use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Definition, Hints, Tool};
use crate::{
    call::Call,
    content::ToolResult,
    error::{Error, McpError},
    outcome::{InputRequest, InputRequired, Outcome},
};

pub struct GetRoots;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {}

#[derive(Deserialize)]
struct ListRootsResult {
    roots: Vec<Root>,
}

#[derive(Deserialize)]
struct Root {
    uri: String,
    #[serde(default)]
    name: Option<String>,
}

const QUESTION: &str = "roots";
/// Roots that are written out.
const SHOWN_ROOTS: usize = 100;

#[async_trait]
impl Tool for GetRoots {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "getRoots",
            title: "Get Roots",
            description: "Asks the client for its roots and lists them.",
            pictograph: "🌳",
            hints: Hints::ASKS,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, _: Arguments, call: &Call) -> Result<Outcome<ToolResult>, Error> {
        if let Some(answer) = call.inputs.get(QUESTION) {
            return Ok(Outcome::Result(describe(answer)));
        }
        if !call.caller.capabilities.roots {
            return Err(McpError::missing_client_capability("roots", json!({ "roots": {} })).into());
        }
        Ok(Outcome::InputRequired(InputRequired::one(
            QUESTION,
            InputRequest::ListRoots,
        )))
    }
}

fn describe(answer: &Value) -> ToolResult {
    let roots = match ListRootsResult::deserialize(answer) {
        Ok(result) => result.roots,
        Err(error) => {
            return ToolResult::error(format!(
                "The client's answer to roots/list is not valid: {error}."
            ));
        }
    };
    if roots.is_empty() {
        return ToolResult::text("The client has no roots configured.");
    }
    let mut text = format!("Current MCP roots ({} total):", roots.len());
    for (index, root) in roots.iter().take(SHOWN_ROOTS).enumerate() {
        let name = root.name.as_deref().unwrap_or("Unnamed root");
        text.push_str(&format!("\n{}. {name}\n   URI: {}", index + 1, root.uri));
    }
    if roots.len() > SHOWN_ROOTS {
        text.push_str("\n…");
    }
    ToolResult::text(text)
}
