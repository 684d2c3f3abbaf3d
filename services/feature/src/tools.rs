//! The tools, one file each, named by their wire names. Adding one is a file and a line in [`Tools::new`].

mod add;
mod annotated_message;
mod definition;
mod echo;
mod elicit_in_steps;
mod elicit_inputs;
mod elicit_url;
mod extra_tool;
mod get_resource_links;
mod get_resource_reference;
mod get_roots;
mod get_structured_content;
mod get_tiny_image;
mod gzip_as_resource;
mod long_running_operation;
mod mcp_apps_hello_world;
mod mirror_headers;
mod sample_llm;
mod simulate_research_query;
mod switch_extra;

use std::sync::Arc;

use serde_json::Value;

use crate::{
    call::{Call, Caller},
    content::ToolResult,
    error::{Error, McpError, shortened},
    extras::{Extra, Extras},
    outcome::Outcome,
    resources::Resources,
    schema::BadSchema,
};

pub use definition::{Definition, Entry, Hints, TaskSupport, Tool};

/// The table of tools, in the order in which clients are shown them.
pub struct Tools {
    entries: Vec<Entry>,
    /// Last in the list, where it is switched on.
    extra: Entry,
    extras: Extras,
}

impl Tools {
    /// Generates and compiles every schema, so that a bad one is found at start.
    pub fn new(resources: &Arc<Resources>, extras: Extras) -> Result<Self, BadSchema> {
        let entries = vec![
            Entry::new(echo::Echo)?,
            Entry::new(add::Add)?,
            Entry::new(long_running_operation::LongRunningOperation)?,
            Entry::new(sample_llm::SampleLlm)?,
            Entry::new(get_tiny_image::GetTinyImage)?,
            Entry::new(annotated_message::AnnotatedMessage)?,
            Entry::new(get_resource_reference::GetResourceReference)?,
            Entry::new(elicit_inputs::ElicitInputs::new()?)?,
            Entry::new(elicit_url::ElicitUrl)?,
            Entry::new(elicit_in_steps::ElicitInSteps)?,
            Entry::new(get_structured_content::GetStructuredContent)?,
            Entry::new(get_resource_links::GetResourceLinks)?,
            Entry::new(get_roots::GetRoots)?,
            Entry::new(gzip_as_resource::GzipAsResource::new(resources.clone()))?,
            Entry::new(mcp_apps_hello_world::McpAppsHelloWorld)?,
            Entry::new(mirror_headers::MirrorHeaders)?,
            Entry::new(simulate_research_query::SimulateResearchQuery)?,
            Entry::new(switch_extra::SwitchExtra::new(extras.clone(), Extra::Tool))?,
            Entry::new(switch_extra::SwitchExtra::new(extras.clone(), Extra::Prompt))?,
        ];
        Ok(Self {
            entries,
            extra: Entry::new(extra_tool::ExtraTool)?,
            extras,
        })
    }

    pub async fn list(&self, caller: &Caller) -> Result<impl Iterator<Item = &Entry>, Error> {
        let extra = self.extras.has(caller, Extra::Tool).await?.then_some(&self.extra);
        Ok(self.entries.iter().chain(extra))
    }

    /// `arguments` is JSON text, or empty for none.
    pub async fn call(
        &self,
        name: &str,
        arguments: &[u8],
        call: &Call,
    ) -> Result<Outcome<ToolResult>, Error> {
        let entry = self
            .find(name, &call.caller)
            .await?
            .ok_or_else(|| McpError::invalid_params(format!("unknown tool: {}", shortened(name))))?;
        let arguments = match arguments {
            [] => Value::Object(serde_json::Map::new()),
            text => serde_json::from_slice(text).map_err(|error| {
                McpError::invalid_params(format!("arguments are not valid JSON: {error}"))
            })?,
        };
        if !arguments.is_object() {
            return Err(McpError::invalid_params("arguments must be an object").into());
        }
        entry.call(arguments, call).await
    }

    async fn find(&self, name: &str, caller: &Caller) -> Result<Option<&Entry>, Error> {
        if self.extra.definition.name == name && self.extras.has(caller, Extra::Tool).await? {
            return Ok(Some(&self.extra));
        }
        Ok(self.entries.iter().find(|entry| entry.definition.name == name))
    }
}
