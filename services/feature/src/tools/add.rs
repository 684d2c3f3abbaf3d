use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Definition, Hints, Tool};
use crate::{call::Call, content::ToolResult, error::Error, outcome::Outcome};

pub struct Add;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// First number.
    #[schemars(title = "First number")]
    a: f64,
    /// Second number.
    #[schemars(title = "Second number")]
    b: f64,
}

#[async_trait]
impl Tool for Add {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "add",
            title: "Add",
            description: "Adds two numbers.",
            pictograph: "➕",
            hints: Hints::PURE,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, Arguments { a, b }: Arguments, _: &Call) -> Result<Outcome<ToolResult>, Error> {
        let sum = a + b;
        if !sum.is_finite() {
            return Ok(Outcome::Result(ToolResult::error(
                "The sum is too large for a double.",
            )));
        }
        // Adding zero turns -0 into 0.
        let (a, b, sum) = (a + 0.0, b + 0.0, sum + 0.0);
        Ok(Outcome::Result(ToolResult::text(format!(
            "The sum of {a} and {b} is {sum}."
        ))))
    }
}
