//! The resources, and the one template.

use serde_json::{Value, json};

use crate::{
    call::{Answer, Call, Failure, Question, Reply},
    inputs::{Field, as_text, form_field},
    media,
};

/// Template of the resources that `read` makes up from their id.
pub const TEMPLATE: &str = "test://template/{id}/data";

const STATIC_TEXT: &str = "test://static-text";
const STATIC_BINARY: &str = "test://static-binary";
/// Not listed: it can be read by those who answer two questions, one after the other.
const GUARDED: &str = "test://guarded-resource";
const WATCHED: &str = "test://watched-resource";

/// A listed resource.
pub struct Resource {
    pub uri: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub mime_type: &'static str,
}

pub const RESOURCES: &[Resource] = &[
    Resource {
        uri: STATIC_TEXT,
        name: "Static Text Resource",
        description: "A static text resource for testing",
        mime_type: "text/plain",
    },
    Resource {
        uri: STATIC_BINARY,
        name: "Static Binary Resource",
        description: "A static binary resource (image) for testing",
        mime_type: "image/png",
    },
    Resource {
        uri: WATCHED,
        name: "Watched Resource",
        description: "A resource that can be subscribed to",
        mime_type: "text/plain",
    },
];

/// resources/read
pub fn read(uri: &str, call: &Call) -> Answer {
    match uri {
        GUARDED => guarded(call),
        _ => contents(uri),
    }
}

fn contents(uri: &str) -> Answer {
    let contents = match uri {
        STATIC_TEXT => json!({
            "uri": uri,
            "mimeType": "text/plain",
            "text": "This is the content of the static text resource.",
        }),
        STATIC_BINARY => json!({ "uri": uri, "mimeType": "image/png", "blob": media::PNG }),
        WATCHED => json!({ "uri": uri, "mimeType": "text/plain", "text": "Watched resource content" }),
        _ => match template_id(uri) {
            Some(id) => json!({ "uri": uri, "mimeType": "application/json", "text": template_text(id) }),
            None => return Err(Failure::resource_not_found(uri)),
        },
    };
    Ok(Reply::Result(json!({ "contents": [contents] })))
}

/// Only what can be read can be subscribed to.
pub fn subscribe(uri: &str) -> Answer {
    contents(uri).map(|_| Reply::Result(json!({})))
}

/// What was answered first travels in the state.
fn guarded(call: &Call) -> Answer {
    let question = |key, name: &str| {
        let schema = json!({
            "type": "object",
            "properties": { name: { "type": "string" } },
            "required": [name],
        });
        Question::form(key, &format!("Who goes there: which {name}?"), schema)
    };
    if call.state.is_empty() {
        return match form_field(&call.inputs, "who", "name") {
            Field::Value(name) => call.ask(vec![question("why", "reason")], as_text(name)),
            Field::Refused => Err(Failure::invalid_params(
                "the resource is for those who say who they are",
            )),
            Field::Missing => call.ask(vec![question("who", "name")], []),
        };
    }
    let name = String::from_utf8_lossy(&call.state).into_owned();
    match form_field(&call.inputs, "why", "reason") {
        Field::Value(reason) => {
            let text = format!("Read by {name}: {}", as_text(reason));
            let contents = json!({ "uri": GUARDED, "mimeType": "text/plain", "text": text });
            Ok(Reply::Result(json!({ "contents": [contents] })))
        }
        Field::Refused => Err(Failure::invalid_params("the resource is for those who say why")),
        Field::Missing => call.ask(vec![question("why", "reason")], name),
    }
}

fn template_id(uri: &str) -> Option<&str> {
    let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}

/// JSON with its members in the documented order.
fn template_text(id: &str) -> String {
    let data = Value::from(format!("Data for ID: {id}"));
    let id = Value::from(id);
    format!(r#"{{"id":{id},"templateTest":true,"data":{data}}}"#)
}
