//! What the server asks the client.

use serde_json::{Value, json};

use super::{Visit, first_text, texts};

const ELICITED: &str = "elicitation/create";

impl Visit<'_> {
    pub(super) async fn sampling(&self, with: &Value) -> anyhow::Result<Value> {
        let result = self.call(&with["call"]).await?;
        let asked = self.person.received("sampling/createMessage");
        let asked: Vec<_> = asked
            .iter()
            .map(|asked| {
                let content = &asked["messages"][0]["content"];
                // One block, or a list of them.
                let text = content.get("text").unwrap_or(&content[0]["text"]);
                json!({ "text": text, "max_tokens": asked["maxTokens"] })
            })
            .collect();
        Ok(json!({ "asked": asked, "texts": texts(&result) }))
    }

    pub(super) async fn elicitation_form(&self, with: &Value) -> anyhow::Result<Value> {
        self.person.will_accept(Some(self.answers["form"].clone()));
        self.elicited(with).await
    }

    pub(super) async fn elicitation_steps(&self, with: &Value) -> anyhow::Result<Value> {
        let steps = self.answers["steps"].as_object().into_iter().flatten();
        let answers: Vec<_> = steps.map(|(name, value)| json!({ name: value })).collect();
        self.person.will_accept_in_turn(answers);
        self.elicited(with).await
    }

    pub(super) async fn elicitation_url(&self, with: &Value) -> anyhow::Result<Value> {
        self.person.will_accept(None);
        self.elicited(with).await
    }

    async fn elicited(&self, with: &Value) -> anyhow::Result<Value> {
        let result = self.call(&with["call"]).await?;
        let asked = self.person.received(ELICITED);
        let asked: Vec<_> = asked
            .iter()
            .map(|asked| json!({ "mode": asked["mode"], "message": asked["message"] }))
            .collect();
        Ok(json!({ "asked": asked, "text": first_text(&result)? }))
    }

    pub(super) async fn roots(&self, with: &Value) -> anyhow::Result<Value> {
        let roots: Vec<_> = self.answers["roots"].as_array().into_iter().flatten().collect();
        let roots: Vec<_> = roots
            .iter()
            .filter_map(|root| Some((root["uri"].as_str()?, root["name"].as_str())))
            .collect();
        self.person.has_roots(&roots);
        let result = self.call(&with["call"]).await?;
        let asked = self.person.received("roots/list").len();
        Ok(json!({ "asked": asked, "text": first_text(&result)? }))
    }
}
