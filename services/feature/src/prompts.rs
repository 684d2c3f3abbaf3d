//! The prompts, one file each, named by their wire names. Adding one is a file and a line in [`Prompts::new`].

mod completable_prompt;
mod complex_prompt;
mod extra_prompt;
mod resource_prompt;
mod simple_prompt;

use std::collections::HashMap;

use crate::{
    call::Caller,
    content::PromptResult,
    error::{Error, McpError, shortened},
    extras::{Extra, Extras},
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
pub struct Prompts {
    table: Vec<Box<dyn Prompt>>,
    /// Last in the list, where it is switched on.
    extra: extra_prompt::ExtraPrompt,
    extras: Extras,
}

impl Prompts {
    pub fn new(extras: Extras) -> Self {
        let table: Vec<Box<dyn Prompt>> = vec![
            Box::new(simple_prompt::SimplePrompt),
            Box::new(complex_prompt::ComplexPrompt),
            Box::new(resource_prompt::ResourcePrompt),
            Box::new(completable_prompt::CompletablePrompt),
        ];
        Self {
            table,
            extra: extra_prompt::ExtraPrompt,
            extras,
        }
    }

    pub async fn list(&self, caller: &Caller) -> Result<impl Iterator<Item = Definition>, Error> {
        let extra = self.extras.has(caller, Extra::Prompt).await?;
        let extra = extra.then(|| self.extra.definition());
        Ok(self.table.iter().map(|prompt| prompt.definition()).chain(extra))
    }

    /// Arguments that the prompt does not know are ignored.
    pub async fn get(
        &self,
        caller: &Caller,
        name: &str,
        arguments: &HashMap<String, String>,
    ) -> Result<PromptResult, Error> {
        let is_extra = self.extra.definition().name == name;
        let prompt = if is_extra && self.extras.has(caller, Extra::Prompt).await? {
            &self.extra
        } else {
            self.find(name)?
        };
        let missing =
            prompt.definition().arguments.iter().find(|argument| {
                argument.required && arguments.get(argument.name).is_none_or(String::is_empty)
            });
        if let Some(argument) = missing {
            return Err(McpError::invalid_params(format!(
                "missing required argument {:?} of prompt {name}",
                argument.name
            ))
            .into());
        }
        Ok(prompt.get(arguments)?)
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
        self.table
            .iter()
            .find(|prompt| prompt.definition().name == name)
            .map(AsRef::as_ref)
            .ok_or_else(|| McpError::invalid_params(format!("unknown prompt: {}", shortened(name))))
    }
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}
