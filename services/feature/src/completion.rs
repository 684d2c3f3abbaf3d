//! Suggestions for prompt arguments and URI template variables.

use std::collections::HashMap;

use crate::{
    error::{McpError, shortened},
    prompts::Prompts,
    resources::static_resources::{self, StaticResource},
};

/// Most values in one answer (MCP, completion).
pub const MAX_VALUES: usize = 100;

/// What is being completed.
#[derive(Clone, Copy, Debug)]
pub enum Reference<'a> {
    Prompt(&'a str),
    ResourceTemplate(&'a str),
}

/// Suggestions that begin with what was typed, whatever its letter case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    pub values: Vec<String>,
    /// Matches in all, of which `values` are the first.
    pub total: usize,
}

/// An unknown argument has no suggestions; an unknown prompt or template is an error.
pub fn complete(
    prompts: &Prompts,
    reference: Reference<'_>,
    argument: &str,
    typed: &str,
    resolved: &HashMap<String, String>,
) -> Result<Completion, McpError> {
    let candidates = match reference {
        Reference::Prompt(name) => prompts.candidates(name, argument, resolved)?,
        Reference::ResourceTemplate(uri) if uri == static_resources::TEMPLATE.uri_template => {
            match argument {
                "id" => StaticResource::ids_with_prefix(""),
                _ => Vec::new(),
            }
        }
        Reference::ResourceTemplate(uri) => {
            return Err(McpError::invalid_params(format!(
                "unknown resource template: {}",
                shortened(uri)
            )));
        }
    };
    let mut values: Vec<String> = candidates
        .into_iter()
        .filter(|candidate| begins_with(candidate, typed))
        .collect();
    let total = values.len();
    values.truncate(MAX_VALUES);
    Ok(Completion { values, total })
}

fn begins_with(candidate: &str, typed: &str) -> bool {
    candidate
        .get(..typed.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(typed))
}
