//! Resources.

use std::collections::HashSet;

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use rmcp::model::{
    ReadResourceRequestParams, SubscribeRequestParams, SubscriptionFilter, UnsubscribeRequestParams,
};
use serde_json::{Value, json};

use super::{Visit, among, code, in_time, json, text};
use crate::clients::script::Era;

impl Visit<'_> {
    pub(super) async fn list_resources(&self, with: &Value) -> anyhow::Result<Value> {
        let resources = in_time(self.client.list_all_resources()).await??;
        let uris: Vec<_> = resources
            .into_iter()
            .map(|resource| resource.uri.clone())
            .collect();
        let distinct = uris.iter().collect::<HashSet<_>>().len() == uris.len();
        Ok(json!({ "listed": among(&with["uris"], &uris), "distinct": distinct }))
    }

    pub(super) async fn read_resources(&self, with: &Value) -> anyhow::Result<Value> {
        let read = async |name| {
            let params = ReadResourceRequestParams::new(text(with, name)?);
            let result = in_time(self.client.read_resource(params)).await??;
            anyhow::Ok(json(&result.contents)?[0].clone())
        };
        let blob = STANDARD.decode(text(&read("blob").await?, "blob")?)?;
        let missing = ReadResourceRequestParams::new(text(with, "missing")?);
        let not_found = with["not_found"].as_array().context("no codes")?;
        Ok(json!({
            "text": read("text").await?["text"],
            "blob": String::from_utf8(blob)?,
            "missing": not_found.contains(&json!(code(in_time(self.client.read_resource(missing)).await?))),
        }))
    }

    pub(super) async fn resource_templates(&self, with: &Value) -> anyhow::Result<Value> {
        let templates = json(&in_time(self.client.list_all_resource_templates()).await??)?;
        let mut templates = templates.as_array().into_iter().flatten();
        Ok(json!({ "listed": templates.any(|template| template["uriTemplate"] == with["template"]) }))
    }

    pub(super) async fn resource_updates(&self, with: &Value) -> anyhow::Result<Value> {
        let uri = text(with, "uri")?;
        let filter = SubscriptionFilter::builder().resource_subscription(uri).build();
        let mut changes = self.changes("notifications/resources/updated", filter).await?;
        if self.era == Era::Legacy {
            in_time(self.client.subscribe(SubscribeRequestParams::new(uri))).await??;
        }
        let updated = [
            changes.next().await?["uri"].clone(),
            changes.next().await?["uri"].clone(),
        ];
        if self.era == Era::Legacy {
            in_time(self.client.unsubscribe(UnsubscribeRequestParams::new(uri))).await??;
        }
        Ok(json!({ "updated": updated }))
    }
}
