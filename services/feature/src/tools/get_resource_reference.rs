use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Definition, Hints, Tool};
use crate::{
    call::Call,
    content::{Content, ToolResult},
    error::{Error, McpError},
    outcome::Outcome,
    resources::static_resources::StaticResource,
};

pub struct GetResourceReference;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Arguments {
    /// ID of the resource to reference (1-100).
    #[schemars(title = "Resource ID", range(min = 1, max = 100))]
    resource_id: u32,
}

#[async_trait]
impl Tool for GetResourceReference {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "getResourceReference",
            title: "Get Resource Reference",
            description: "Returns one of the static resources, embedded in the result.",
            pictograph: "📎",
            hints: Hints::PURE,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, arguments: Arguments, _: &Call) -> Result<Outcome<ToolResult>, Error> {
        let id = arguments.resource_id;
        let resource = StaticResource::by_id(id)
            .ok_or_else(|| McpError::invalid_params(format!("there is no resource with the id {id}")))?;
        Ok(Outcome::Result(ToolResult::content(vec![
            Content::text(format!("Returning resource reference for Resource {id}:")),
            Content::Resource {
                resource: resource.contents(),
            },
            Content::text(format!(
                "You can access this resource using the URI: {}",
                resource.uri()
            )),
        ])))
    }
}
