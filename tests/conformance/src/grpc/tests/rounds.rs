//! The multi round-trip scenarios (SEP-2322).

use super::*;

fn form(message: &str, field: &str, kind: &str) -> Value {
    let schema = json!({ "type": "object", "properties": { field: { "type": kind } }, "required": [field] });
    let params = json!({ "message": message, "requestedSchema": schema });
    json!({ "method": "elicitation/create", "params": params })
}

fn sampling(prompt: &str, max_tokens: u32) -> Value {
    let message = json!({ "role": "user", "content": { "type": "text", "text": prompt } });
    let params = json!({ "messages": [message], "maxTokens": max_tokens });
    json!({ "method": "sampling/createMessage", "params": params })
}

fn sampled(text: &str) -> Value {
    json!({ "role": "assistant", "model": "m", "content": { "type": "text", "text": text } })
}

fn roots() -> Value {
    json!({ "roots": [{ "uri": "file:///a", "name": "a" }, { "uri": "file:///b" }] })
}

#[tokio::test]
async fn a_name_is_asked_until_one_comes() {
    let client = Client::new();
    let name = "test_input_required_result_elicitation";
    let expected = json!({ "user_name": form("What is your name?", "name", "string") });
    // Unanswered, answered under another key, and answered with nonsense: all the same to the tool.
    let unanswered = [
        Value::Null,
        json!({ "wrong_key": accepted(json!({ "name": "Alice" })) }),
        json!({ "user_name": 12345 }),
        json!({ "user_name": null }),
        json!({ "user_name": accepted(json!({})) }),
    ];
    for inputs in unanswered {
        let asked = asked(client.round(name, json!({}), inputs, b"").await);
        assert_eq!(questions(&asked), expected);
        assert!(asked.state.is_empty());
    }
    let inputs = json!({ "user_name": accepted(json!({ "name": "Alice" })), "extra": { "ignored": true } });
    assert_eq!(
        result(client.round(name, json!({}), inputs, b"").await),
        text("Hello, Alice!")
    );
    let inputs = json!({ "user_name": { "action": "decline" } });
    assert_eq!(
        result(client.round(name, json!({}), inputs, b"").await),
        text("No name was given.")
    );
}

#[tokio::test]
async fn the_model_and_the_roots_are_asked() {
    let client = Client::new();
    let name = "test_input_required_result_sampling";
    let first = asked(client.round(name, json!({}), Value::Null, b"").await);
    let expected = json!({ "capital_question": sampling("What is the capital of France?", 100) });
    assert_eq!(questions(&first), expected);
    let inputs = json!({ "capital_question": sampled("Paris") });
    assert_eq!(
        result(client.round(name, json!({}), inputs, b"").await),
        text("Paris")
    );

    let name = "test_input_required_result_list_roots";
    let first = asked(client.round(name, json!({}), Value::Null, b"").await);
    assert_eq!(
        questions(&first),
        json!({ "client_roots": { "method": "roots/list", "params": {} } })
    );
    let inputs = json!({ "client_roots": roots() });
    let answered = result(client.round(name, json!({}), inputs, b"").await);
    assert_eq!(answered, text("Client roots: file:///a, file:///b"));
}

#[tokio::test]
async fn state_must_come_back_as_it_left() {
    let client = Client::new();
    for name in [
        "test_input_required_result_request_state",
        "test_input_required_result_tampered_state",
    ] {
        let first = asked(client.round(name, json!({}), Value::Null, b"").await);
        assert_eq!(
            questions(&first),
            json!({ "confirm": form("Please confirm", "ok", "boolean") })
        );
        let inputs = json!({ "confirm": accepted(json!({ "ok": true })) });
        let answered = client.round(name, json!({}), inputs.clone(), &first.state).await;
        assert_eq!(result(answered), text("state-ok"));
        let foreign = error(
            client
                .round(name, json!({}), inputs.clone(), b"something else")
                .await,
        );
        assert_eq!(foreign.code, -32602);
        // Answers without the state that belongs to them are not enough.
        asked(client.round(name, json!({}), inputs, b"").await);
    }
}

#[tokio::test]
async fn three_questions_are_asked_at_once() {
    let client = Client::new();
    let name = "test_input_required_result_multiple_inputs";
    let first = asked(client.round(name, json!({}), Value::Null, b"").await);
    let expected = json!({
        "user_name": form("What is your name?", "name", "string"),
        "greeting": sampling("Generate a greeting", 50),
        "client_roots": { "method": "roots/list", "params": {} },
    });
    assert_eq!(questions(&first), expected);
    assert!(!first.state.is_empty());
    let mut inputs = json!({
        "user_name": accepted(json!({ "name": "Alice" })),
        "greeting": sampled("Hello"),
        "client_roots": roots(),
    });
    let answered = client.round(name, json!({}), inputs.clone(), &first.state).await;
    assert_eq!(
        result(answered),
        text("Hello, Alice! Client roots: file:///a, file:///b")
    );
    inputs.as_object_mut().unwrap().remove("greeting");
    asked(client.round(name, json!({}), inputs, &first.state).await);
}

#[tokio::test]
async fn the_second_question_follows_the_first_answer() {
    let client = Client::new();
    let name = "test_input_required_result_multi_round";
    let first = asked(client.round(name, json!({}), Value::Null, b"").await);
    assert_eq!(
        questions(&first),
        json!({ "step1": form("Step 1: What is your name?", "name", "string") })
    );
    let inputs = json!({ "step1": accepted(json!({ "name": "Alice" })) });
    let second = asked(client.round(name, json!({}), inputs, &first.state).await);
    let expected = json!({ "step2": form("Step 2: What is your favorite color?", "color", "string") });
    assert_eq!(questions(&second), expected);
    assert_ne!(second.state, first.state);
    let inputs = json!({ "step2": accepted(json!({ "color": "blue" })) });
    let third = client.round(name, json!({}), inputs, &second.state).await;
    assert_eq!(result(third), text("Alice's favorite color is blue."));
}

#[tokio::test]
async fn what_is_asked_follows_what_was_declared() {
    let name = "test_input_required_result_capabilities";
    let keys = async |sampling: bool, elicitation_form: bool| {
        let capabilities = ClientCapabilities {
            sampling,
            elicitation_form,
            ..Default::default()
        };
        let client = Client::declaring(capabilities);
        match client.round(name, json!({}), Value::Null, b"").await {
            Event::InputRequired(asked) => asked.requests.into_iter().map(|request| request.key).collect(),
            Event::Result(_) => Vec::new(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(keys(true, false).await, ["capital_question"]);
    assert_eq!(keys(false, true).await, ["user_name"]);
    assert_eq!(keys(true, true).await, ["user_name", "capital_question"]);
    assert!(keys(false, false).await.is_empty());
}
