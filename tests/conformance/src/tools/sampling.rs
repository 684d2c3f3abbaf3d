//! Tools that need the client's model.

use crate::{
    call::{Answer, Call, Failure, Question, text_result},
    inputs::sampled_text,
};

pub async fn sampling(call: Call) -> Answer {
    let prompt = match call.string_argument("prompt") {
        Ok(prompt) => prompt,
        Err(reply) => return Ok(reply),
    };
    match call.inputs.get("sampling").and_then(sampled_text) {
        Some(text) => Ok(text_result(format!("LLM response: {text}"))),
        None => call.ask(vec![Question::sampling("sampling", prompt, 100)], []),
    }
}

pub async fn missing_capability(call: Call) -> Answer {
    if call.client.sampling {
        return Ok(text_result("The client declared the sampling capability."));
    }
    Err(Failure::missing_capability("sampling"))
}
