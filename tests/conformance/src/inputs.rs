//! Reads what clients answered. Answers come from outside: what is not as asked for counts as not answered.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What came back for one field of a form.
#[derive(Debug, PartialEq)]
pub enum Field<'a> {
    Value(&'a Value),
    /// Declined or dismissed by the user.
    Refused,
    Missing,
}

/// A field of the ElicitResult under `key`.
pub fn form_field<'a>(inputs: &'a BTreeMap<String, Value>, key: &str, field: &str) -> Field<'a> {
    let Some(result) = inputs.get(key) else {
        return Field::Missing;
    };
    match result.get("action").and_then(Value::as_str) {
        Some("accept") => match result.get("content").and_then(|content| content.get(field)) {
            Some(value) => Field::Value(value),
            None => Field::Missing,
        },
        Some("decline" | "cancel") => Field::Refused,
        _ => Field::Missing,
    }
}

/// Action and content of an ElicitResult; no content is an empty one.
pub fn elicited(result: &Value) -> Option<(&str, Value)> {
    let action = result.get("action")?.as_str()?;
    if !matches!(action, "accept" | "decline" | "cancel") {
        return None;
    }
    let content = result
        .get("content")
        .filter(|content| content.is_object())
        .cloned();
    Some((action, content.unwrap_or_else(|| Value::Object(Map::new()))))
}

/// The text of a CreateMessageResult, whose content is one block or, since 2025-11-25, a list of them.
pub fn sampled_text(result: &Value) -> Option<String> {
    let content = result.get("content")?;
    let blocks = content
        .as_array()
        .map_or(std::slice::from_ref(content), Vec::as_slice);
    let texts: Vec<_> = blocks.iter().map(block_text).collect::<Option<_>>()?;
    (!texts.is_empty()).then(|| texts.join("\n"))
}

fn block_text(block: &Value) -> Option<String> {
    match block.get("type")?.as_str()? {
        "text" => block.get("text")?.as_str().map(str::to_owned),
        other => Some(format!("[{other}]")),
    }
}

/// URIs of a ListRootsResult.
pub fn roots(result: &Value) -> Option<Vec<&str>> {
    let roots = result.get("roots")?.as_array()?;
    roots.iter().map(|root| root.get("uri")?.as_str()).collect()
}

pub fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
