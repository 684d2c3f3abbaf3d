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

pub struct SampleLlm;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Arguments {
    /// The prompt to send to the LLM.
    #[schemars(title = "Prompt")]
    prompt: String,
    /// Maximum number of tokens to generate.
    #[schemars(title = "Maximum tokens", range(min = 1, max = 100_000))]
    #[serde(default = "default_max_tokens")]
    max_tokens: u32,
}

fn default_max_tokens() -> u32 {
    100
}

const QUESTION: &str = "sampling";

#[async_trait]
impl Tool for SampleLlm {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "sampleLLM",
            title: "Sample LLM",
            description: "Asks the client's LLM for a completion, by MCP sampling, and returns what it said.",
            pictograph: "🧠",
            hints: Hints::ASKS,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, arguments: Arguments, call: &Call) -> Result<Outcome<ToolResult>, Error> {
        if let Some(answer) = call.inputs.get(QUESTION) {
            return Ok(Outcome::Result(match said(answer) {
                Some(text) => ToolResult::text(format!("LLM sampling result: {text}")),
                None => ToolResult::error("The client's answer to sampling/createMessage has no content."),
            }));
        }
        if !call.caller.capabilities.sampling {
            return Err(McpError::missing_client_capability("sampling", json!({ "sampling": {} })).into());
        }
        let text = format!("Resource sampleLLM context: {}", arguments.prompt);
        let params = json!({
            "messages": [{ "role": "user", "content": { "type": "text", "text": text } }],
            "systemPrompt": "You are a helpful test server.",
            "maxTokens": arguments.max_tokens,
            "temperature": 0.7,
        });
        Ok(Outcome::InputRequired(InputRequired::one(
            QUESTION,
            InputRequest::Sampling(params),
        )))
    }
}

/// The text of a CreateMessageResult, whose content is one block or a list of them; other blocks are named.
fn said(answer: &Value) -> Option<String> {
    let blocks = match answer.get("content")? {
        Value::Array(blocks) => blocks.as_slice(),
        block @ Value::Object(_) => std::slice::from_ref(block),
        _ => return None,
    };
    let texts: Vec<String> = blocks
        .iter()
        .filter_map(|block| {
            let kind = block.get("type")?.as_str()?;
            match kind {
                "text" => block.get("text")?.as_str().map(str::to_owned),
                _ => Some(format!("[{kind}]")),
            }
        })
        .collect();
    if texts.is_empty() {
        None
    } else {
        Some(texts.join("\n"))
    }
}
