use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Definition, Hints, Tool};
use crate::{
    call::Call,
    content::{Content, ToolResult},
    error::Error,
    outcome::Outcome,
    resources::static_resources::StaticResource,
};

pub struct GetResourceLinks;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Number of resource links to return (1-10).
    #[schemars(title = "Count", range(min = 1, max = 10))]
    #[serde(default = "default_count")]
    count: u32,
}

fn default_count() -> u32 {
    3
}

#[async_trait]
impl Tool for GetResourceLinks {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "getResourceLinks",
            title: "Get Resource Links",
            description: "Returns links to some of the static resources, which the client can read.",
            pictograph: "🔗",
            hints: Hints::PURE,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, arguments: Arguments, _: &Call) -> Result<Outcome<ToolResult>, Error> {
        let count = arguments.count;
        let mut content = vec![Content::text(format!(
            "Here are {count} resource links to resources available in this server:"
        ))];
        content.extend(
            (1..=count)
                .filter_map(StaticResource::by_id)
                .map(|resource| Content::ResourceLink {
                    uri: resource.uri(),
                    name: resource.name(),
                    title: None,
                    description: Some(resource.description()),
                    mime_type: resource.mime_type().to_owned(),
                    size: Some(resource.size()),
                }),
        );
        Ok(Outcome::Result(ToolResult::content(content)))
    }
}
