//! The prompts, one file each, named by their wire names. Adding one is a file and a line in [`Prompts::new`].

mod completable_prompt;
mod complex_prompt;
mod resource_prompt;
mod simple_prompt;

use std::collections::HashMap;

use crate::{
    content::PromptResult,
    error::{McpError, shortened},
};

/// A prompt: what clients are told about it, its messages, and suggestions for its arguments.
pub trait Prompt: Send + Sync + 'static {
    fn definition(&self) -> Definition;

    /// Every required argument is there and not empty.
    fn get(&self, arguments: &HashMap<String, String>) -> Result<PromptResult, McpError>;

    /// Values that an argument may take, whatever was typed so far. `resolved` holds the arguments that are set.
    fn candidates(&self, argument: &str, resolved: &HashMap<String, String>) -> Vec<String>;
}

/// What clients are told about a prompt.
#[derive(Clone, Debug)]
pub struct Definition {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub pictograph: &'static str,
    pub arguments: &'static [Argument],
}

/// An argument of a prompt. MCP has only text here.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub required: bool,
}

/// The table of prompts, in the order in which clients are shown them.
pub struct Prompts(Vec<Box<dyn Prompt>>);

impl Prompts {
    pub fn new() -> Self {
        Self(vec![
            Box::new(simple_prompt::SimplePrompt),
            Box::new(complex_prompt::ComplexPrompt),
            Box::new(resource_prompt::ResourcePrompt),
            Box::new(completable_prompt::CompletablePrompt),
        ])
    }

    pub fn list(&self) -> impl Iterator<Item = Definition> {
        self.0.iter().map(|prompt| prompt.definition())
    }

    /// Arguments that the prompt does not know are ignored.
    pub fn get(&self, name: &str, arguments: &HashMap<String, String>) -> Result<PromptResult, McpError> {
        let prompt = self.find(name)?;
        let missing =
            prompt.definition().arguments.iter().find(|argument| {
                argument.required && arguments.get(argument.name).is_none_or(String::is_empty)
            });
        if let Some(argument) = missing {
            return Err(McpError::invalid_params(format!(
                "missing required argument {:?} of prompt {name}",
                argument.name
            )));
        }
        prompt.get(arguments)
    }

    pub(crate) fn candidates(
        &self,
        name: &str,
        argument: &str,
        resolved: &HashMap<String, String>,
    ) -> Result<Vec<String>, McpError> {
        Ok(self.find(name)?.candidates(argument, resolved))
    }

    fn find(&self, name: &str) -> Result<&dyn Prompt, McpError> {
        self.0
            .iter()
            .find(|prompt| prompt.definition().name == name)
            .map(AsRef::as_ref)
            .ok_or_else(|| McpError::invalid_params(format!("unknown prompt: {}", shortened(name))))
    }
}

impl Default for Prompts {
    fn default() -> Self {
        Self::new()
    }
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}
