use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Definition, Hints, Tool};
use crate::{
    call::Call,
    content::{Content, ToolResult},
    error::Error,
    outcome::Outcome,
};

pub struct GetTinyImage;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {}

#[async_trait]
impl Tool for GetTinyImage {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "getTinyImage",
            title: "Get Tiny Image",
            description: "Returns a tiny PNG image between two texts.",
            pictograph: "🖼",
            hints: Hints::PURE,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, _: Arguments, _: &Call) -> Result<Outcome<ToolResult>, Error> {
        Ok(Outcome::Result(ToolResult::content(vec![
            Content::text("This is a tiny image:"),
            Content::tiny_image(None),
            Content::text("The image above is the MCP tiny image."),
        ])))
    }
}
