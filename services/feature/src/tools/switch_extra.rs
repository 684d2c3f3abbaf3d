use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Definition, Hints, Tool};
use crate::{
    call::Call,
    content::ToolResult,
    error::Error,
    extras::{Extra, Extras},
    outcome::Outcome,
};

/// `switchExtraTool` and `switchExtraPrompt`.
pub struct SwitchExtra {
    extras: Extras,
    extra: Extra,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Whether it is to be there.
    #[schemars(title = "On")]
    on: bool,
}

impl SwitchExtra {
    pub fn new(extras: Extras, extra: Extra) -> Self {
        Self { extras, extra }
    }

    fn subject(&self) -> &'static str {
        match self.extra {
            Extra::Tool => "The tool extraTool",
            Extra::Prompt => "The prompt extra_prompt",
        }
    }
}

#[async_trait]
impl Tool for SwitchExtra {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        let (name, title, description) = match self.extra {
            Extra::Tool => (
                "switchExtraTool",
                "Switch Extra Tool",
                "Adds the tool extraTool to this session's list, or takes it out; clients are told that the list changed.",
            ),
            Extra::Prompt => (
                "switchExtraPrompt",
                "Switch Extra Prompt",
                "Adds the prompt extra_prompt to this session's list, or takes it out; clients are told that the list \
                 changed.",
            ),
        };
        Definition {
            name,
            title,
            description,
            pictograph: "🔀",
            hints: Hints::SETS,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, Arguments { on }: Arguments, call: &Call) -> Result<Outcome<ToolResult>, Error> {
        let changed = self.extras.switch(&call.caller, self.extra, on).await?;
        let (subject, still) = (self.subject(), if changed { "now" } else { "still" });
        Ok(Outcome::Result(ToolResult::text(if on {
            format!("{subject} is {still} in the list.")
        } else {
            format!("{subject} is {still} not in the list.")
        })))
    }
}
