//! Every kind of content that a tool result can hold.

use serde_json::{Value, json};

use crate::{
    call::{Answer, Call, content, text, text_result, tool_error},
    media,
};

pub async fn simple_text(_: Call) -> Answer {
    Ok(text_result("This is a simple text response for testing."))
}

pub async fn image(_: Call) -> Answer {
    Ok(content([png()]))
}

pub async fn audio(_: Call) -> Answer {
    Ok(content([
        json!({ "type": "audio", "data": media::WAV, "mimeType": "audio/wav" }),
    ]))
}

pub async fn embedded_resource(_: Call) -> Answer {
    Ok(content([json!({
        "type": "resource",
        "resource": {
            "uri": "test://embedded-resource",
            "mimeType": "text/plain",
            "text": "This is an embedded resource content.",
        },
    })]))
}

pub async fn multiple(_: Call) -> Answer {
    let resource = json!({
        "type": "resource",
        "resource": {
            "uri": "test://mixed-content-resource",
            "mimeType": "application/json",
            "text": r#"{"test":"data","value":123}"#,
        },
    });
    Ok(content([text("Multiple content types test:"), png(), resource]))
}

pub async fn error(_: Call) -> Answer {
    Ok(tool_error("This tool intentionally returns an error for testing"))
}

pub async fn greet(call: Call) -> Answer {
    Ok(match call.string_argument("name") {
        Ok(name) => text_result(format!("Hello, {name}!")),
        Err(reply) => reply,
    })
}

fn png() -> Value {
    json!({ "type": "image", "data": media::PNG, "mimeType": "image/png" })
}
