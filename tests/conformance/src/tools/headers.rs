//! An argument that clients repeat in a header (SEP-2243).

use serde_json::{Value, json};

use crate::call::{Answer, Call, text_result};

pub fn input_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "value": {
                "type": "string",
                "description": "Repeated by the client in the header Mcp-Param-Test-Value",
                "x-mcp-header": "Test-Value",
            },
        },
        "required": ["value"],
    })
}

pub async fn run(call: Call) -> Answer {
    Ok(match call.string_argument("value") {
        Ok(value) => text_result(format!("Received value: {value}")),
        Err(reply) => reply,
    })
}
