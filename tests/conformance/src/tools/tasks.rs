//! Tools of the tasks scenarios (SEP-2663).

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    call::{Answer, Call, Failure, INTERNAL_ERROR, Question, text_result, tool_error},
    inputs::{Field, as_text, form_field},
};

/// The suite asks for a minute at the most.
const LONGEST: f64 = 600.0;

pub fn slow_compute_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "seconds": { "type": "number", "description": "How long to take" },
            "label": { "type": "string", "description": "What to call it" },
        },
        "required": ["seconds"],
    })
}

pub async fn slow_compute(call: Call) -> Answer {
    let seconds = call.arguments.get("seconds").and_then(Value::as_f64);
    let Some(seconds) = seconds.filter(|seconds| (0.0..=LONGEST).contains(seconds)) else {
        return Ok(tool_error(
            "Invalid arguments: `seconds` must be between 0 and 600.",
        ));
    };
    let label = call.arguments.get("label").map(as_text).unwrap_or_default();
    sleep(Duration::from_secs_f64(seconds)).await;
    Ok(text_result(format!("{label} took {seconds} seconds")))
}

pub async fn failing_job(_: Call) -> Answer {
    Ok(tool_error("The job failed."))
}

pub async fn protocol_error_job(_: Call) -> Answer {
    Err(Failure {
        code: INTERNAL_ERROR,
        message: "the job broke the protocol".to_owned(),
        data: None,
    })
}

pub async fn confirm_delete(call: Call) -> Answer {
    let filename = match call.string_argument("filename") {
        Ok(filename) => filename.to_owned(),
        Err(reply) => return Ok(reply),
    };
    match form_field(&call.inputs, "confirm", "confirm") {
        Field::Value(Value::Bool(true)) => Ok(text_result(format!("Deleted {filename}"))),
        Field::Value(_) | Field::Refused => Ok(text_result(format!("Kept {filename}"))),
        Field::Missing => {
            let schema = json!({
                "type": "object",
                "properties": { "confirm": { "type": "boolean" } },
                "required": ["confirm"],
            });
            let question = Question::form("confirm", &format!("Delete {filename}?"), schema);
            call.ask(vec![question], [])
        }
    }
}

pub async fn multi_input(call: Call) -> Answer {
    if call.inputs.contains_key("first") && call.inputs.contains_key("second") {
        return Ok(text_result("Both questions were answered."));
    }
    let question = |key| {
        let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
        Question::form(key, &format!("The {key} question"), schema)
    };
    call.ask(vec![question("first"), question("second")], [])
}

/// Asks first, and is a task from then on.
pub async fn with_task(call: Call) -> Answer {
    match form_field(&call.inputs, "user_name", "name") {
        Field::Value(name) => Ok(text_result(format!("Hello, {}!", as_text(name)))),
        Field::Refused => Ok(text_result("No name was given.")),
        Field::Missing => {
            let schema = json!({
                "type": "object",
                "properties": { "name": { "type": "string" } },
                "required": ["name"],
            });
            call.ask(
                vec![Question::form("user_name", "What is your name?", schema)],
                [],
            )
        }
    }
}
