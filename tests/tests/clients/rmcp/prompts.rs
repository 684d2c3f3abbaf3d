//! Prompts and completion.

use anyhow::Context;
use rmcp::model::CompletionContext;
use serde_json::{Value, json};

use super::{Visit, among, in_time, json, text};

impl Visit<'_> {
    pub(super) async fn prompt_names(&self) -> anyhow::Result<Vec<String>> {
        let prompts = in_time(self.client.list_all_prompts()).await??;
        Ok(prompts.into_iter().map(|prompt| prompt.name).collect())
    }

    pub(super) async fn prompts(&self, with: &Value) -> anyhow::Result<Value> {
        let names = self.prompt_names().await?;
        let params = serde_json::from_value(with["get"].clone())?;
        let messages = json(&in_time(self.client.get_prompt(params)).await??.messages)?;
        let messages = messages.as_array().context("no messages")?;
        let roles: Vec<_> = messages.iter().map(|message| &message["role"]).collect();
        let types: Vec<_> = messages
            .iter()
            .map(|message| &message["content"]["type"])
            .collect();
        Ok(json!({
            "listed": among(&with["names"], &names),
            "roles": roles,
            "types": types,
            "text": messages[0]["content"]["text"],
        }))
    }

    pub(super) async fn completion(&self, with: &Value) -> anyhow::Result<Value> {
        let (prompt, template, dependent) = (&with["prompt"], &with["template"], &with["dependent"]);
        let known = serde_json::from_value(dependent["known"].clone())?;
        let known = Some(CompletionContext::with_arguments(known));
        let of_prompt = async |asked: &Value, known| {
            let (name, argument) = (text(asked, "name")?, &asked["argument"]);
            let (argument, typed) = (text(argument, "name")?, text(argument, "value")?);
            let completing = self.client.complete_prompt_argument(name, argument, typed, known);
            anyhow::Ok(in_time(completing).await??.values)
        };
        let (argument, typed) = (
            text(&template["argument"], "name")?,
            text(&template["argument"], "value")?,
        );
        let completing =
            self.client
                .complete_resource_argument(text(template, "uri")?, argument, typed, None);
        Ok(json!({
            "prompt": of_prompt(prompt, None).await?,
            "template": in_time(completing).await??.values,
            "dependent": of_prompt(dependent, known).await?,
        }))
    }
}
