use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Definition, Hints, Tool};
use crate::{call::Call, content::ToolResult, error::Error, outcome::Outcome};

pub struct MirrorHeaders;

/// Clients of 2026-07-28 repeat the annotated arguments in `Mcp-Param-…` headers, and the edge compares them. Of a type
/// the annotation may be on strings, integers and booleans only.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Arguments {
    /// Repeated in Mcp-Param-Region.
    #[schemars(title = "Region", length(max = 200), extend("x-mcp-header" = "Region"))]
    region: String,
    /// Repeated in Mcp-Param-Priority.
    #[schemars(title = "Priority", range(min = 1, max = 1000), extend("x-mcp-header" = "Priority"))]
    #[serde(default = "default_priority")]
    priority: i64,
    /// Repeated in Mcp-Param-Dry-Run.
    #[schemars(title = "Dry run", extend("x-mcp-header" = "Dry-Run"))]
    #[serde(default)]
    dry_run: bool,
    /// Holds an argument that is repeated although it is nested.
    #[schemars(title = "Target")]
    target: Target,
    /// Not repeated.
    #[schemars(title = "Note", length(max = 200))]
    #[serde(default)]
    note: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Target {
    /// Repeated in Mcp-Param-Tenant.
    #[schemars(title = "Tenant", length(max = 200), extend("x-mcp-header" = "Tenant"))]
    tenant: String,
}

fn default_priority() -> i64 {
    5
}

#[async_trait]
impl Tool for MirrorHeaders {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "mirrorHeaders",
            title: "Mirror Headers",
            description: "Answers with its arguments, of which clients repeat four in HTTP headers (x-mcp-header).",
            pictograph: "🪞",
            hints: Hints::PURE,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, arguments: Arguments, _: &Call) -> Result<Outcome<ToolResult>, Error> {
        let Arguments {
            region,
            priority,
            dry_run,
            target: Target { tenant },
            note,
        } = arguments;
        Ok(Outcome::Result(ToolResult::text(format!(
            "Region: {region}\nPriority: {priority}\nDry run: {dry_run}\nTenant: {tenant}\nNote: {note}"
        ))))
    }
}
