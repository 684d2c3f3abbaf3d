use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Definition, Hints, Tool};
use crate::{call::Call, content::ToolResult, error::Error, outcome::Outcome};

/// Is listed, and can be called, while `switchExtraTool` has it on.
pub struct ExtraTool;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {}

#[async_trait]
impl Tool for ExtraTool {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "extraTool",
            title: "Extra Tool",
            description: "Is there while switchExtraTool has it on.",
            pictograph: "🧩",
            hints: Hints::PURE,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, _: Arguments, _: &Call) -> Result<Outcome<ToolResult>, Error> {
        Ok(Outcome::Result(ToolResult::text("The extra tool is there.")))
    }
}
