//! Lists that change.

use anyhow::Context;
use rmcp::{
    model::{GetPromptRequestParams, SubscriptionFilter},
    service::Subscription,
};
use serde_json::{Value, json};

use super::{Visit, first_text, in_time, json, text};
use crate::clients::script::Era;

impl Visit<'_> {
    pub(super) async fn tool_list_changes(&self, with: &Value) -> anyhow::Result<Value> {
        let filter = SubscriptionFilter::builder().tools_list_changed().build();
        let mut changes = self.changes("notifications/tools/list_changed", filter).await?;
        let item = text(with, "item")?;
        let mut listed = Vec::new();
        self.switch(with, true).await?;
        changes.next().await?;
        listed.push(self.tool_names().await?.iter().any(|name| name == item));
        let used = first_text(&self.call_named(item, json!({})).await?)?;
        self.switch(with, false).await?;
        changes.next().await?;
        listed.push(self.tool_names().await?.iter().any(|name| name == item));
        Ok(json!({ "notified": changes.told, "listed": listed, "used": used }))
    }

    pub(super) async fn prompt_list_changes(&self, with: &Value) -> anyhow::Result<Value> {
        let filter = SubscriptionFilter::builder().prompts_list_changed().build();
        let mut changes = self.changes("notifications/prompts/list_changed", filter).await?;
        let item = text(with, "item")?;
        let mut listed = Vec::new();
        self.switch(with, true).await?;
        changes.next().await?;
        listed.push(self.prompt_names().await?.iter().any(|name| name == item));
        let got = in_time(self.client.get_prompt(GetPromptRequestParams::new(item))).await??;
        let used = json(&got.messages)?[0]["content"]["text"].clone();
        self.switch(with, false).await?;
        changes.next().await?;
        listed.push(self.prompt_names().await?.iter().any(|name| name == item));
        Ok(json!({ "notified": changes.told, "listed": listed, "used": used }))
    }

    async fn switch(&self, with: &Value, on: bool) -> anyhow::Result<()> {
        self.call_named(text(with, "switch")?, json!({ "on": on }))
            .await?;
        Ok(())
    }

    pub(super) async fn changes(
        &self,
        method: &'static str,
        filter: SubscriptionFilter,
    ) -> anyhow::Result<Changes<'_>> {
        let listening = match self.era {
            Era::Modern => Some(in_time(self.client.listen(filter)).await??),
            Era::Legacy => None,
        };
        Ok(Changes {
            visit: self,
            method,
            listening,
            told: 0,
        })
    }
}

/// Changes of one kind, which come through the session or over a stream of their own.
pub(super) struct Changes<'a> {
    visit: &'a Visit<'a>,
    method: &'static str,
    listening: Option<Subscription>,
    pub(super) told: usize,
}

impl Changes<'_> {
    /// Waits for the next one; answers with its params.
    pub(super) async fn next(&mut self) -> anyhow::Result<Value> {
        let params = match &mut self.listening {
            Some(listening) => {
                let change = in_time(listening.next())
                    .await??
                    .context("the stream has ended")?;
                let change = json(&change)?;
                anyhow::ensure!(change["method"] == self.method, "{change}");
                change["params"].clone()
            }
            None => {
                let heard = self.visit.person.until(self.method, self.told + 1).await;
                heard[self.told].clone()
            }
        };
        self.told += 1;
        Ok(params)
    }
}
