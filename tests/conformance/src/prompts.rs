//! The prompts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    call::{Answer, Call, Failure, Question, Reply},
    inputs::{Field, as_text, form_field},
    media,
};

/// A listed prompt.
pub struct Prompt {
    pub name: &'static str,
    pub description: &'static str,
    /// Name and description of each argument; all are required.
    pub arguments: &'static [(&'static str, &'static str)],
    get: fn(&Arguments, &Call) -> Answer,
}

type Arguments = BTreeMap<String, String>;

pub const PROMPTS: &[Prompt] = &[
    Prompt {
        name: "test_simple_prompt",
        description: "A simple prompt without arguments",
        arguments: &[],
        get: simple,
    },
    Prompt {
        name: "test_prompt_with_arguments",
        description: "A prompt with required arguments",
        arguments: &[("arg1", "First test argument"), ("arg2", "Second test argument")],
        get: with_arguments,
    },
    Prompt {
        name: "test_prompt_with_embedded_resource",
        description: "A prompt that includes an embedded resource",
        arguments: &[("resourceUri", "URI of the resource to embed")],
        get: with_embedded_resource,
    },
    Prompt {
        name: "test_prompt_with_image",
        description: "A prompt that includes image content",
        arguments: &[],
        get: with_image,
    },
    Prompt {
        name: "test_input_required_result_prompt",
        description: "A prompt that asks the user before it answers",
        arguments: &[],
        get: input_required,
    },
];

/// prompts/get. `call` has the inputs and capabilities.
pub fn get(name: &str, arguments: &Arguments, call: &Call) -> Answer {
    let Some(prompt) = PROMPTS.iter().find(|prompt| prompt.name == name) else {
        return Err(Failure::invalid_params(format!("unknown prompt: {name}")));
    };
    match prompt
        .arguments
        .iter()
        .find(|(name, _)| !arguments.contains_key(*name))
    {
        Some((missing, _)) => Err(Failure::invalid_params(format!(
            "missing required argument: {missing}"
        ))),
        None => (prompt.get)(arguments, call),
    }
}

/// completion/complete: values of the argument that begin with what was typed.
pub fn complete(name: &str, argument: &str, typed: &str) -> Result<Vec<&'static str>, Failure> {
    let Some(prompt) = PROMPTS.iter().find(|prompt| prompt.name == name) else {
        return Err(Failure::invalid_params(format!("unknown prompt: {name}")));
    };
    if !prompt.arguments.iter().any(|(name, _)| *name == argument) {
        return Err(Failure::invalid_params(format!("unknown argument: {argument}")));
    }
    let values: &[_] = match argument {
        "arg1" | "arg2" => &["paris", "park", "party", "test", "testValue1", "testValue2"],
        "resourceUri" => &[
            "test://example-resource",
            "test://static-text",
            "test://static-binary",
        ],
        _ => &[],
    };
    Ok(values
        .iter()
        .copied()
        .filter(|value| value.starts_with(typed))
        .collect())
}

fn simple(_: &Arguments, _: &Call) -> Answer {
    messages([text("This is a simple prompt for testing.")])
}

fn with_arguments(arguments: &Arguments, _: &Call) -> Answer {
    let (arg1, arg2) = (&arguments["arg1"], &arguments["arg2"]);
    messages([text(&format!(
        "Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"
    ))])
}

fn with_embedded_resource(arguments: &Arguments, _: &Call) -> Answer {
    let resource = json!({
        "type": "resource",
        "resource": {
            "uri": arguments["resourceUri"],
            "mimeType": "text/plain",
            "text": "Embedded resource content for testing.",
        },
    });
    messages([resource, text("Please process the embedded resource above.")])
}

fn with_image(_: &Arguments, _: &Call) -> Answer {
    let image = json!({ "type": "image", "data": media::PNG, "mimeType": "image/png" });
    messages([image, text("Please analyze the image above.")])
}

fn input_required(_: &Arguments, call: &Call) -> Answer {
    match form_field(&call.inputs, "user_context", "context") {
        Field::Value(context) => messages([text(&format!("Use this context: {}", as_text(context)))]),
        Field::Refused => Err(Failure::invalid_params(
            "the prompt needs a context, and none was given",
        )),
        Field::Missing if call.client.elicitation_form => {
            let schema = json!({
                "type": "object",
                "properties": { "context": { "type": "string" } },
                "required": ["context"],
            });
            let question = Question::form("user_context", "What context should the prompt use?", schema);
            call.ask(vec![question], [])
        }
        Field::Missing => Err(Failure::missing_capability("elicitation")),
    }
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn messages<const N: usize>(contents: [Value; N]) -> Answer {
    let messages: Vec<_> = contents
        .into_iter()
        .map(|content| json!({ "role": "user", "content": content }))
        .collect();
    Ok(Reply::Result(json!({ "messages": messages })))
}
