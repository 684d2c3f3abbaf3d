use std::collections::HashMap;

use super::{Argument, Definition, Prompt, owned};
use crate::{
    content::{Content, PromptMessage, PromptResult, Role},
    error::McpError,
};

pub struct CompletablePrompt;

const TEAMS: [(&str, [&str; 3]); 4] = [
    ("Engineering", ["Alice", "Bob", "Charlie"]),
    ("Sales", ["David", "Eve", "Frank"]),
    ("Marketing", ["Grace", "Henry", "Iris"]),
    ("Support", ["John", "Kim", "Lee"]),
];

impl Prompt for CompletablePrompt {
    fn definition(&self) -> Definition {
        Definition {
            name: "completable_prompt",
            title: "Completable Prompt",
            description: "A prompt whose second argument is completed from the first",
            pictograph: "👥",
            arguments: &[
                Argument {
                    name: "department",
                    title: "Department",
                    description: "Choose the department",
                    required: true,
                },
                Argument {
                    name: "name",
                    title: "Name",
                    description: "Choose a member of the department to lead it",
                    required: true,
                },
            ],
        }
    }

    fn get(&self, arguments: &HashMap<String, String>) -> Result<PromptResult, McpError> {
        let argument = |name| arguments.get(name).map(String::as_str).unwrap_or_default();
        let (department, name) = (argument("department"), argument("name"));
        Ok(PromptResult {
            description: "A prompt whose second argument is completed from the first",
            messages: vec![PromptMessage {
                role: Role::User,
                content: Content::text(format!(
                    "Please promote {name} to the head of the {department} team."
                )),
            }],
        })
    }

    fn candidates(&self, argument: &str, resolved: &HashMap<String, String>) -> Vec<String> {
        match argument {
            "department" => TEAMS
                .iter()
                .map(|(department, _)| (*department).to_owned())
                .collect(),
            // Nobody, until there is a department.
            "name" => {
                let chosen = resolved.get("department").map(String::as_str).unwrap_or_default();
                TEAMS
                    .iter()
                    .find(|(department, _)| department.eq_ignore_ascii_case(chosen))
                    .map(|(_, members)| owned(members))
                    .unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }
}
