//! Tools of the multi round-trip scenarios (SEP-2322). Keys, messages and schemas are the suite's.

use serde_json::{Value, json};

use crate::{
    call::{Answer, Call, Failure, Question, text_result},
    inputs::{Field, as_text, form_field, roots, sampled_text},
};

/// State of the tools that want to see it again.
const STATE: &[u8] = b"awaiting-confirmation";

pub async fn elicitation(call: Call) -> Answer {
    match form_field(&call.inputs, "user_name", "name") {
        Field::Value(name) => Ok(text_result(format!("Hello, {}!", as_text(name)))),
        Field::Refused => Ok(text_result("No name was given.")),
        Field::Missing => call.ask(vec![name_form("user_name", "What is your name?")], []),
    }
}

pub async fn sampling(call: Call) -> Answer {
    match call.inputs.get("capital_question").and_then(sampled_text) {
        Some(text) => Ok(text_result(text)),
        None => call.ask(
            vec![Question::sampling(
                "capital_question",
                "What is the capital of France?",
                100,
            )],
            [],
        ),
    }
}

pub async fn list_roots(call: Call) -> Answer {
    match call.inputs.get("client_roots").and_then(roots) {
        Some(uris) => Ok(text_result(format!("Client roots: {}", uris.join(", ")))),
        None => call.ask(vec![Question::roots("client_roots")], []),
    }
}

pub async fn request_state(call: Call) -> Answer {
    confirm(&call)
}

/// Whether the state was tampered with is decided by whoever sealed it; here only unchanged state arrives.
pub async fn tampered_state(call: Call) -> Answer {
    confirm(&call)
}

pub async fn multiple_inputs(call: Call) -> Answer {
    let name = form_field(&call.inputs, "user_name", "name");
    let greeting = call.inputs.get("greeting").and_then(sampled_text);
    let roots = call.inputs.get("client_roots").and_then(roots);
    match (name, greeting, roots) {
        (Field::Value(name), Some(greeting), Some(roots)) if call.state == STATE => {
            let roots = roots.join(", ");
            Ok(text_result(format!(
                "{greeting}, {}! Client roots: {roots}",
                as_text(name)
            )))
        }
        (Field::Refused, ..) => Ok(text_result("No name was given.")),
        _ => call.ask(
            vec![
                name_form("user_name", "What is your name?"),
                Question::sampling("greeting", "Generate a greeting", 50),
                Question::roots("client_roots"),
            ],
            STATE,
        ),
    }
}

/// The name travels from round to round in the state, since nothing is kept here between calls.
pub async fn multi_round(call: Call) -> Answer {
    let known_name = serde_json::from_slice::<Value>(&call.state)
        .ok()
        .and_then(|state| state.get("name").cloned());
    let Some(name) = known_name else {
        return match form_field(&call.inputs, "step1", "name") {
            Field::Value(name) => ask_color(&call, name),
            Field::Refused => Ok(text_result("No name was given.")),
            Field::Missing => call.ask(
                vec![name_form("step1", "Step 1: What is your name?")],
                json!({ "step": 1 }).to_string(),
            ),
        };
    };
    match form_field(&call.inputs, "step2", "color") {
        Field::Value(color) => Ok(text_result(format!(
            "{}'s favorite color is {}.",
            as_text(&name),
            as_text(color)
        ))),
        Field::Refused => Ok(text_result("No color was given.")),
        Field::Missing => ask_color(&call, &name),
    }
}

/// Asks what the client declared, and completes only where it declared nothing.
pub async fn capabilities(call: Call) -> Answer {
    let mut questions = Vec::new();
    if call.client.elicitation_form {
        questions.push(name_form("user_name", "What is your name?"));
    }
    if call.client.sampling {
        questions.push(Question::sampling(
            "capital_question",
            "What is the capital of France?",
            100,
        ));
    }
    if questions.is_empty() {
        return Ok(text_result(
            "The client declared neither elicitation nor sampling.",
        ));
    }
    let answered = questions
        .iter()
        .all(|question| call.inputs.contains_key(question.key));
    if answered {
        Ok(text_result("All questions were answered."))
    } else {
        call.ask(questions, [])
    }
}

fn confirm(call: &Call) -> Answer {
    if !call.state.is_empty() && call.state != STATE {
        return Err(Failure::invalid_params("requestState is not from this tool"));
    }
    match form_field(&call.inputs, "confirm", "ok") {
        Field::Value(_) if call.state == STATE => Ok(text_result("state-ok")),
        Field::Refused if call.state == STATE => Ok(text_result("state-ok, not confirmed")),
        Field::Value(_) | Field::Refused | Field::Missing => {
            let schema = json!({
                "type": "object",
                "properties": { "ok": { "type": "boolean" } },
                "required": ["ok"],
            });
            call.ask(vec![Question::form("confirm", "Please confirm", schema)], STATE)
        }
    }
}

fn ask_color(call: &Call, name: &Value) -> Answer {
    let schema = json!({
        "type": "object",
        "properties": { "color": { "type": "string" } },
        "required": ["color"],
    });
    let question = Question::form("step2", "Step 2: What is your favorite color?", schema);
    call.ask(vec![question], json!({ "step": 2, "name": name }).to_string())
}

fn name_form(key: &'static str, message: &str) -> Question {
    let schema = json!({
        "type": "object",
        "properties": { "name": { "type": "string" } },
        "required": ["name"],
    });
    Question::form(key, message, schema)
}
