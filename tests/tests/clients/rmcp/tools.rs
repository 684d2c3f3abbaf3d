//! Tools, and what they say before their result.

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use rmcp::model::{CallToolRequestParams, LoggingLevel, RequestMetaObject, SetLevelRequestParams};
use serde_json::{Value, json};

use super::{Visit, among, code, first_text, in_time, json, params, text, texts, whole};
use crate::clients::script::Era;

impl Visit<'_> {
    pub(super) async fn tool_names(&self) -> anyhow::Result<Vec<String>> {
        let tools = in_time(self.client.list_all_tools()).await??;
        Ok(tools.into_iter().map(|tool| tool.name.into_owned()).collect())
    }

    pub(super) async fn list_tools(&self, with: &Value) -> anyhow::Result<Value> {
        Ok(json!({ "listed": among(&with["names"], &self.tool_names().await?) }))
    }

    pub(super) async fn call_text(&self, with: &Value) -> anyhow::Result<Value> {
        Ok(json!({ "texts": texts(&self.call(&with["call"]).await?) }))
    }

    pub(super) async fn call_image(&self, with: &Value) -> anyhow::Result<Value> {
        let content = json(&self.call(&with["call"]).await?.content)?;
        let content = content.as_array().context("no content")?;
        let image = content
            .iter()
            .find(|block| block["type"] == "image")
            .context("no image")?;
        let bytes = STANDARD.decode(text(image, "data")?)?;
        let types: Vec<_> = content.iter().map(|block| &block["type"]).collect();
        Ok(json!({ "types": types, "mime_type": image["mimeType"], "png": bytes.starts_with(b"\x89PNG") }))
    }

    pub(super) async fn call_structured(&self, with: &Value) -> anyhow::Result<Value> {
        let result = self.call(&with["call"]).await?;
        let structured = result.structured_content.context("nothing structured")?;
        let mut fields: Vec<_> = structured.as_object().context("not an object")?.keys().collect();
        fields.sort();
        Ok(json!({ "fields": fields }))
    }

    pub(super) async fn call_error(&self, with: &Value) -> anyhow::Result<Value> {
        let result = self.call(&with["call"]).await?;
        let unknown = CallToolRequestParams::new(text(with, "unknown")?.to_owned());
        Ok(json!({
            "is_error": result.is_error,
            "names_field": first_text(&result)?.contains("- a: "),
            "unknown": code(in_time(self.client.call_tool(unknown)).await?),
        }))
    }

    pub(super) async fn progress(&self, with: &Value) -> anyhow::Result<Value> {
        let result = self.call(&with["call"]).await?;
        let mut heard = self.person.until("notifications/progress", 4).await;
        // The SDK hands notifications over at the same time.
        heard.sort_by_key(|params| whole(&params["progress"]));
        let progress: Vec<_> = heard
            .iter()
            .map(|params| {
                json!([
                    whole(&params["progress"]),
                    whole(&params["total"]),
                    params["message"]
                ])
            })
            .collect();
        Ok(json!({ "progress": progress, "texts": texts(&result) }))
    }

    pub(super) async fn logging(&self, with: &Value) -> anyhow::Result<Value> {
        let debug = self.logged(with, LoggingLevel::Debug).await?;
        let error = self.logged(with, LoggingLevel::Error).await?;
        Ok(json!({ "debug": debug, "error": error }))
    }

    /// What the tool logs at this level.
    async fn logged(&self, with: &Value, level: LoggingLevel) -> anyhow::Result<Vec<Value>> {
        self.person.forget();
        let mut params = params(&with["call"])?;
        match self.era {
            Era::Modern => {
                let mut meta = RequestMetaObject::default();
                meta.set_log_level(level);
                params.meta = Some(meta);
            }
            Era::Legacy => in_time(self.client.set_level(SetLevelRequestParams::new(level))).await??,
        }
        in_time(self.client.call_tool(params)).await??;
        let own = |heard: &[Value]| {
            let own = heard.iter().filter(|log| log["logger"] == with["logger"]);
            let messages = own.map(|log| log["data"]["message"].clone());
            messages
                .filter(|message| message == "operation started")
                .collect::<Vec<_>>()
        };
        let heard = match level {
            LoggingLevel::Debug => {
                self.person
                    .until_all("notifications/message", |heard| !own(heard).is_empty())
                    .await
            }
            _ => self.person.received("notifications/message"),
        };
        Ok(own(&heard))
    }

    pub(super) async fn mirrored_headers(&self, with: &Value) -> anyhow::Result<Value> {
        let mut seen = Vec::new();
        for region in with["regions"].as_array().into_iter().flatten() {
            let mut call = with["call"].clone();
            call["arguments"]["region"] = region.clone();
            seen.extend(texts(&self.call(&call).await?));
        }
        Ok(json!({ "texts": seen }))
    }
}
