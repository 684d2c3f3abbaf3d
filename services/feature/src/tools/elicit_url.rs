use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::{Definition, Hints, Tool, definition::invalid_arguments};
use crate::{
    call::Call,
    content::ToolResult,
    error::{Error, McpError},
    outcome::{InputRequest, InputRequired, Outcome},
};

pub struct ElicitUrl;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The http or https URL that the user is asked to open.
    #[schemars(title = "URL", length(max = 2048), extend("format" = "uri"))]
    #[serde(default = "default_url")]
    url: String,
    /// What the user is told about the URL.
    #[schemars(title = "Message", length(min = 1, max = 1000))]
    #[serde(default = "default_message")]
    message: String,
}

fn default_url() -> String {
    "https://modelcontextprotocol.io/".to_owned()
}

fn default_message() -> String {
    "Please open the link to complete this action.".to_owned()
}

const QUESTION: &str = "url";

#[async_trait]
impl Tool for ElicitUrl {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "elicitUrl",
            title: "Elicit URL",
            description: "Asks the user, by URL-mode elicitation, to open a web page.",
            pictograph: "🌐",
            hints: Hints::ASKS,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, arguments: Arguments, call: &Call) -> Result<Outcome<ToolResult>, Error> {
        // Checked in every round: any round may be the first that this replica sees.
        let is_web = Url::parse(&arguments.url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !is_web {
            let problem = "url: must be an http or https URL".to_owned();
            return Ok(Outcome::Result(invalid_arguments("elicitUrl", &[problem])));
        }
        if let Some(answer) = call.inputs.get(QUESTION) {
            return Ok(Outcome::Result(describe(answer, &arguments.url)));
        }
        if !call.caller.capabilities.elicitation_url {
            let required = json!({ "elicitation": { "url": {} } });
            return Err(McpError::missing_client_capability("elicitation.url", required).into());
        }
        let params = json!({
            "mode": "url",
            "message": arguments.message,
            "url": arguments.url,
            // Required by 2025-11-25.
            "elicitationId": Uuid::new_v4().to_string(),
        });
        Ok(Outcome::InputRequired(InputRequired::one(
            QUESTION,
            InputRequest::ElicitationUrl(params),
        )))
    }
}

fn describe(answer: &Value, url: &str) -> ToolResult {
    match answer.get("action").and_then(Value::as_str) {
        Some("accept") => ToolResult::text(format!("User agreed to open {url}.")),
        Some("decline") => ToolResult::text(format!("User declined to open {url}.")),
        Some("cancel") => ToolResult::text("User cancelled the elicitation dialog."),
        _ => ToolResult::error(
            "The client's answer to elicitation/create is not valid: action must be one of \"accept\", \"decline\", \
             \"cancel\".",
        ),
    }
}
