mod form;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Definition, Hints, Tool};
use crate::{
    call::Call,
    content::{Content, ToolResult},
    error::{Error, McpError},
    outcome::{InputRequest, InputRequired, Outcome},
    schema::{BadSchema, Checker},
};

pub struct ElicitInputs {
    form: Value,
    checker: Checker,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {}

const QUESTION: &str = "inputs";

impl ElicitInputs {
    pub fn new() -> Result<Self, BadSchema> {
        let form = form::requested_schema();
        let checker = Checker::compile("elicitInputs", &form)?;
        Ok(Self { form, checker })
    }

    fn describe(&self, answer: &Value) -> ToolResult {
        let first = match answer.get("action").and_then(Value::as_str) {
            Some("accept") => {
                let Some(content @ Value::Object(fields)) = answer.get("content") else {
                    return invalid(&["content: is required when the action is accept".to_owned()]);
                };
                let problems = self.checker.violations(content);
                if !problems.is_empty() {
                    return invalid(&problems);
                }
                let mut text = "User provided the requested information:".to_owned();
                // In the form's order.
                for (name, value) in
                    form::field_names(&self.form).filter_map(|name| fields.get_key_value(name))
                {
                    text.push_str(&format!("\n- {name}: {}", plain(value)));
                }
                text
            }
            Some("decline") => "User declined to provide the requested information.".to_owned(),
            Some("cancel") => "User cancelled the elicitation dialog.".to_owned(),
            _ => return invalid(&[r#"action: must be one of "accept", "decline", "cancel""#.to_owned()]),
        };
        ToolResult::content(vec![
            Content::text(first),
            Content::text(format!("Elicitation result: {answer}")),
        ])
    }
}

#[async_trait]
impl Tool for ElicitInputs {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "elicitInputs",
            title: "Elicit Inputs",
            description: "Asks the user to fill in a form that has every kind of field an elicitation can have.",
            pictograph: "📝",
            hints: Hints::ASKS,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, _: Arguments, call: &Call) -> Result<Outcome<ToolResult>, Error> {
        if let Some(answer) = call.inputs.get(QUESTION) {
            return Ok(Outcome::Result(self.describe(answer)));
        }
        if !call.caller.capabilities.elicitation_form {
            let required = json!({ "elicitation": { "form": {} } });
            return Err(McpError::missing_client_capability("elicitation.form", required).into());
        }
        let params = json!({
            "mode": "form",
            "message": "Please provide inputs for the following fields:",
            "requestedSchema": self.form,
        });
        Ok(Outcome::InputRequired(InputRequired::one(
            QUESTION,
            InputRequest::ElicitationForm(params),
        )))
    }
}

fn invalid(problems: &[String]) -> ToolResult {
    let mut text = "The client's answer to elicitation/create is not valid:".to_owned();
    for problem in problems {
        text.push_str("\n- ");
        text.push_str(problem);
    }
    ToolResult::error(text)
}

/// Strings without quotes, lists separated by commas, the rest as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
