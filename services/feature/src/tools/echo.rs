use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Definition, Hints, Tool};
use crate::{call::Call, content::ToolResult, error::Error, outcome::Outcome};

pub struct Echo;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Message to echo.
    #[schemars(title = "Message")]
    message: String,
}

#[async_trait]
impl Tool for Echo {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "echo",
            title: "Echo",
            description: "Echoes back the message it is given.",
            pictograph: "🔊",
            hints: Hints::PURE,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, arguments: Arguments, _: &Call) -> Result<Outcome<ToolResult>, Error> {
        Ok(Outcome::Result(ToolResult::text(format!(
            "Echo: {}",
            arguments.message
        ))))
    }
}
