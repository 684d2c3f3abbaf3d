//! Tools that ask the user, with every kind of form field.

use serde_json::{Value, json};

use crate::{
    call::{Answer, Call, Question, text_result},
    inputs::elicited,
};

const KEY: &str = "elicitation";

pub async fn elicitation(call: Call) -> Answer {
    let message = match call.string_argument("message") {
        Ok(message) => message.to_owned(),
        Err(reply) => return Ok(reply),
    };
    let schema = json!({
        "type": "object",
        "properties": {
            "username": { "type": "string", "description": "User's response" },
            "email": { "type": "string", "description": "User's email address" },
        },
        "required": ["username", "email"],
    });
    ask_and_tell(&call, &message, schema, "User response")
}

/// A default for every primitive type (SEP-1034).
pub async fn defaults(call: Call) -> Answer {
    let schema = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "description": "User name", "default": "John Doe" },
            "age": { "type": "integer", "description": "User age", "default": 30 },
            "score": { "type": "number", "description": "User score", "default": 95.5 },
            "status": {
                "type": "string",
                "description": "User status",
                "enum": ["active", "inactive", "pending"],
                "default": "active",
            },
            "verified": { "type": "boolean", "description": "Verification status", "default": true },
        },
        "required": [],
    });
    ask_and_tell(
        &call,
        "Please review and update the form fields with defaults",
        schema,
        "Elicitation completed",
    )
}

/// Every way to offer a choice (SEP-1330).
pub async fn enums(call: Call) -> Answer {
    let titled = |titles: [&str; 3]| -> Value {
        ["value1", "value2", "value3"]
            .iter()
            .zip(titles)
            .map(|(value, title)| json!({ "const": value, "title": title }))
            .collect()
    };
    let schema = json!({
        "type": "object",
        "properties": {
            "untitledSingle": {
                "type": "string",
                "description": "Select one option",
                "enum": ["option1", "option2", "option3"],
            },
            "titledSingle": {
                "type": "string",
                "description": "Select one option with titles",
                "oneOf": titled(["First Option", "Second Option", "Third Option"]),
            },
            "legacyEnum": {
                "type": "string",
                "description": "Select one option, with titles as before 2025-11-25",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {
                "type": "array",
                "description": "Select options",
                "minItems": 1,
                "maxItems": 3,
                "items": { "type": "string", "enum": ["option1", "option2", "option3"] },
            },
            "titledMulti": {
                "type": "array",
                "description": "Select options with titles",
                "minItems": 1,
                "maxItems": 3,
                "items": { "anyOf": titled(["First Choice", "Second Choice", "Third Choice"]) },
            },
        },
        "required": [],
    });
    ask_and_tell(
        &call,
        "Please select options from the enum fields",
        schema,
        "Elicitation completed",
    )
}

pub async fn streaming(call: Call) -> Answer {
    let schema = json!({
        "type": "object",
        "properties": { "confirmed": { "type": "boolean" } },
        "required": ["confirmed"],
    });
    ask_and_tell(&call, "Please confirm", schema, "Elicitation completed")
}

fn ask_and_tell(call: &Call, message: &str, schema: Value, prefix: &str) -> Answer {
    match call.inputs.get(KEY).and_then(elicited) {
        Some((action, content)) => Ok(text_result(format!(
            "{prefix}: action={action}, content={content}"
        ))),
        None => call.ask(vec![Question::form(KEY, message, schema)], []),
    }
}
