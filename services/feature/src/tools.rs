//! The tools, one file each, named by their wire names. Adding one is a file and a line in [`Tools::new`].

mod add;
mod annotated_message;
mod definition;
mod echo;
mod elicit_inputs;
mod elicit_url;
mod get_resource_links;
mod get_resource_reference;
mod get_roots;
mod get_structured_content;
mod get_tiny_image;
mod gzip_as_resource;
mod long_running_operation;
mod mcp_apps_hello_world;
mod sample_llm;

use std::sync::Arc;

use serde_json::Value;

use crate::{
    call::Call,
    content::ToolResult,
    error::{Error, McpError, shortened},
    outcome::Outcome,
    resources::Resources,
    schema::BadSchema,
};

pub use definition::{Definition, Entry, Hints, Tool};

/// The table of tools, in the order in which clients are shown them.
pub struct Tools(Vec<Entry>);

impl Tools {
    /// Generates and compiles every schema, so that a bad one is found at start.
    pub fn new(resources: &Arc<Resources>) -> Result<Self, BadSchema> {
        Ok(Self(vec![
            Entry::new(echo::Echo)?,
            Entry::new(add::Add)?,
            Entry::new(long_running_operation::LongRunningOperation)?,
            Entry::new(sample_llm::SampleLlm)?,
            Entry::new(get_tiny_image::GetTinyImage)?,
            Entry::new(annotated_message::AnnotatedMessage)?,
            Entry::new(get_resource_reference::GetResourceReference)?,
            Entry::new(elicit_inputs::ElicitInputs::new()?)?,
            Entry::new(elicit_url::ElicitUrl)?,
            Entry::new(get_structured_content::GetStructuredContent)?,
            Entry::new(get_resource_links::GetResourceLinks)?,
            Entry::new(get_roots::GetRoots)?,
            Entry::new(gzip_as_resource::GzipAsResource::new(resources.clone()))?,
            Entry::new(mcp_apps_hello_world::McpAppsHelloWorld)?,
        ]))
    }

    pub fn list(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    /// `arguments` is JSON text, or empty for none.
    pub async fn call(
        &self,
        name: &str,
        arguments: &[u8],
        call: &Call,
    ) -> Result<Outcome<ToolResult>, Error> {
        let entry = self
            .0
            .iter()
            .find(|entry| entry.definition.name == name)
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
}
