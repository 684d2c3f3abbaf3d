//! Tools that ask the client: asking is a return value, and the answer comes with the next call.

use std::collections::HashMap;

use everything_proto::feature::v1::{CallContext, call_event::Event, input_request::Request};
use serde_json::{Value, json};

use crate::harness::{Feature, alice, bob, error, input_required, json as parse, result};

/// The one question of a tool's first round, and its key.
async fn question(feature: &Feature, tool: &str, arguments: Value) -> (String, Request) {
    let mut required = input_required(feature.call_in(alice(), tool, arguments).await);
    assert_eq!(required.requests.len(), 1);
    let request = required.requests.remove(0);
    (request.key, request.request.unwrap())
}

/// The second round.
async fn answer(feature: &Feature, tool: &str, arguments: Value, key: &str, answer: Value) -> Vec<Event> {
    let inputs_json = HashMap::from([(key.to_owned(), answer.to_string().into())]);
    feature
        .call_in(
            CallContext {
                inputs_json,
                ..alice()
            },
            tool,
            arguments,
        )
        .await
}

#[tokio::test]
async fn sample_llm_asks_the_clients_model() {
    let feature = Feature::start().await;
    let arguments = json!({ "prompt": "say hi", "maxTokens": 7 });
    let (key, request) = question(&feature, "sampleLLM", arguments.clone()).await;
    let Request::SamplingJson(params) = request else {
        panic!("{request:?}")
    };
    assert_eq!(
        parse(&params),
        json!({
            "messages": [{
                "role": "user",
                "content": { "type": "text", "text": "Resource sampleLLM context: say hi" },
            }],
            "systemPrompt": "You are a helpful test server.",
            "maxTokens": 7,
            "temperature": 0.7,
        })
    );
    let text = |text| json!({ "type": "text", "text": text });
    for (content, expected) in [
        (text("hi"), "LLM sampling result: hi"),
        (
            json!([text("hi"), text("there")]),
            "LLM sampling result: hi\nthere",
        ),
        (
            json!({ "type": "image", "data": "", "mimeType": "image/png" }),
            "LLM sampling result: [image]",
        ),
    ] {
        let said = json!({ "role": "assistant", "model": "m", "content": content });
        let result = result(answer(&feature, "sampleLLM", arguments.clone(), &key, said).await);
        assert_eq!(
            result,
            json!({ "content": [{ "type": "text", "text": expected }] })
        );
    }
    for bad in [
        json!({}),
        json!(null),
        json!({ "content": 1 }),
        json!({ "content": [] }),
    ] {
        let result = result(answer(&feature, "sampleLLM", arguments.clone(), &key, bad).await);
        assert_eq!(result["isError"], true);
    }
    let (_, request) = question(&feature, "sampleLLM", json!({ "prompt": "x" })).await;
    let Request::SamplingJson(params) = request else {
        panic!("{request:?}")
    };
    assert_eq!(parse(&params)["maxTokens"], 100);
}

#[tokio::test]
async fn get_roots_lists_the_clients_roots() {
    let feature = Feature::start().await;
    let (key, request) = question(&feature, "getRoots", json!({})).await;
    assert!(matches!(request, Request::ListRoots(_)));
    for (roots, expected) in [
        (json!({ "roots": [] }), "The client has no roots configured."),
        (
            json!({ "roots": [{ "uri": "file:///a", "name": "A" }, { "uri": "file:///b" }] }),
            "Current MCP roots (2 total):\n1. A\n   URI: file:///a\n2. Unnamed root\n   URI: file:///b",
        ),
    ] {
        let result = result(answer(&feature, "getRoots", json!({}), &key, roots).await);
        assert_eq!(
            result,
            json!({ "content": [{ "type": "text", "text": expected }] })
        );
    }
    let bad = result(answer(&feature, "getRoots", json!({}), &key, json!({ "roots": [{}] })).await);
    assert_eq!(
        bad["content"][0]["text"],
        "The client's answer to roots/list is not valid: missing field `uri`."
    );
    assert_eq!(bad["isError"], true);
}

#[tokio::test]
async fn elicit_url_asks_to_open_a_page() {
    let feature = Feature::start().await;
    let arguments = json!({ "url": "https://example.com/go", "message": "Go there" });
    let (key, request) = question(&feature, "elicitUrl", arguments.clone()).await;
    let Request::ElicitationUrlJson(params) = request else {
        panic!("{request:?}")
    };
    let mut params = parse(&params);
    assert_eq!(params["elicitationId"].take().as_str().unwrap().len(), 36);
    assert_eq!(
        params,
        json!({
            "mode": "url",
            "message": "Go there",
            "url": "https://example.com/go",
            "elicitationId": null,
        })
    );
    for (action, expected) in [
        ("accept", "User agreed to open https://example.com/go."),
        ("decline", "User declined to open https://example.com/go."),
        ("cancel", "User cancelled the elicitation dialog."),
    ] {
        let answered = answer(
            &feature,
            "elicitUrl",
            arguments.clone(),
            &key,
            json!({ "action": action }),
        )
        .await;
        assert_eq!(
            result(answered),
            json!({ "content": [{ "type": "text", "text": expected }] })
        );
    }
    let bad = result(
        answer(
            &feature,
            "elicitUrl",
            arguments,
            &key,
            json!({ "action": "maybe" }),
        )
        .await,
    );
    assert_eq!(bad["isError"], true);
    let (_, request) = question(&feature, "elicitUrl", json!({})).await;
    let Request::ElicitationUrlJson(params) = request else {
        panic!("{request:?}")
    };
    assert_eq!(parse(&params)["url"], "https://modelcontextprotocol.io/");
}

#[tokio::test]
async fn elicit_inputs_asks_for_every_kind_of_field() {
    let feature = Feature::start().await;
    let (_, request) = question(&feature, "elicitInputs", json!({})).await;
    let Request::ElicitationFormJson(params) = request else {
        panic!("{request:?}")
    };
    let params = parse(&params);
    assert_eq!(params["mode"], "form");
    assert_eq!(
        params["message"],
        "Please provide inputs for the following fields:"
    );
    let form = &params["requestedSchema"];
    assert_eq!(
        (&form["type"], &form["required"]),
        (&json!("object"), &json!(["name"]))
    );
    let fields = form["properties"].as_object().unwrap();
    let formats: Vec<_> = fields
        .values()
        .filter_map(|field| field["format"].as_str())
        .collect();
    for format in ["email", "uri", "date", "date-time"] {
        assert!(formats.contains(&format), "{format}");
    }
    for kind in ["string", "integer", "number", "boolean", "array"] {
        assert!(
            fields
                .values()
                .any(|field| field["type"] == kind && field.get("default").is_some()),
            "{kind}"
        );
    }
    assert_eq!(
        (&fields["name"]["minLength"], &fields["name"]["maxLength"]),
        (&json!(1), &json!(100))
    );
    assert!(fields["size"]["enum"].is_array());
    assert_eq!(
        fields["pet"]["oneOf"][0],
        json!({ "const": "cat", "title": "Cats" })
    );
    assert!(fields["instruments"]["items"]["enum"].is_array());
    assert_eq!(
        fields["fish"]["items"]["anyOf"][0],
        json!({ "const": "tuna", "title": "Tuna" })
    );
    assert!(fields["planet"]["enumNames"].is_array());
}

#[tokio::test]
async fn elicit_inputs_tells_what_the_user_did() {
    let feature = Feature::start().await;
    let (key, _) = question(&feature, "elicitInputs", json!({})).await;
    let round = async |said: Value| result(answer(&feature, "elicitInputs", json!({}), &key, said).await);

    let accepted =
        json!({ "action": "accept", "content": { "name": "Ada", "fish": ["tuna", "trout"], "integer": 3 } });
    let result = round(accepted.clone()).await;
    let mut lines: Vec<&str> = result["content"][0]["text"].as_str().unwrap().lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "- fish: tuna, trout",
            "- integer: 3",
            "- name: Ada",
            "User provided the requested information:"
        ]
    );
    assert_eq!(
        result["content"][1]["text"],
        format!("Elicitation result: {accepted}")
    );
    for (action, expected) in [
        ("decline", "User declined to provide the requested information."),
        ("cancel", "User cancelled the elicitation dialog."),
    ] {
        let result = round(json!({ "action": action })).await;
        assert_eq!(
            result,
            json!({ "content": [
                { "type": "text", "text": expected },
                { "type": "text", "text": format!("Elicitation result: {{\"action\":\"{action}\"}}") },
            ] })
        );
    }
}

#[tokio::test]
async fn elicit_inputs_checks_what_the_client_returned() {
    let feature = Feature::start().await;
    let (key, _) = question(&feature, "elicitInputs", json!({})).await;
    let accept = |content: Value| json!({ "action": "accept", "content": content });
    for (said, problem) in [
        (
            json!({ "action": "maybe" }),
            r#"action: must be one of "accept", "decline", "cancel""#,
        ),
        (
            json!(null),
            r#"action: must be one of "accept", "decline", "cancel""#,
        ),
        (
            json!({ "action": "accept" }),
            "content: is required when the action is accept",
        ),
        (accept(json!({})), "name: is required"),
        (accept(json!({ "name": "" })), "name: must not be empty"),
        (
            accept(json!({ "name": "A", "email": "nobody" })),
            "email: is not a valid email",
        ),
        (
            accept(json!({ "name": "A", "homepage": "no uri" })),
            "homepage: is not a valid uri",
        ),
        (
            accept(json!({ "name": "A", "birthdate": "1.2.2000" })),
            "birthdate: is not a valid date",
        ),
        (
            accept(json!({ "name": "A", "appointment": "soon" })),
            "appointment: is not a valid date-time",
        ),
        (
            accept(json!({ "name": "A", "integer": 0 })),
            "integer: must be at least 1",
        ),
        (
            accept(json!({ "name": "A", "number": "1" })),
            "number: must be a number, but is a string",
        ),
        (
            accept(json!({ "name": "A", "agree": "yes" })),
            "agree: must be a boolean, but is a string",
        ),
        (
            accept(json!({ "name": "A", "size": "tiny" })),
            r#"size: must be one of "small", "medium", "large""#,
        ),
        (
            accept(json!({ "name": "A", "pet": "fish" })),
            "pet: has none of the allowed forms",
        ),
        (
            accept(json!({ "name": "A", "instruments": [] })),
            "instruments: must not be empty",
        ),
        (
            accept(json!({ "name": "A", "instruments": ["kazoo"] })),
            r#"instruments[0]: must be one of "guitar", "piano", "violin", "drums""#,
        ),
        (
            accept(json!({ "name": "A", "fish": ["shark"] })),
            "fish[0]: has none of the allowed forms",
        ),
    ] {
        let result = result(answer(&feature, "elicitInputs", json!({}), &key, said).await);
        assert_eq!(
            result,
            json!({
                "content": [{
                    "type": "text",
                    "text": format!("The client's answer to elicitation/create is not valid:\n- {problem}"),
                }],
                "isError": true,
            })
        );
    }
}

#[tokio::test]
async fn nothing_is_asked_that_the_client_cannot_do() {
    let feature = Feature::start().await;
    for (tool, arguments, required) in [
        ("sampleLLM", json!({ "prompt": "x" }), json!({ "sampling": {} })),
        (
            "elicitInputs",
            json!({}),
            json!({ "elicitation": { "form": {} } }),
        ),
        (
            "elicitInSteps",
            json!({}),
            json!({ "elicitation": { "form": {} } }),
        ),
        ("elicitUrl", json!({}), json!({ "elicitation": { "url": {} } })),
        ("getRoots", json!({}), json!({ "roots": {} })),
    ] {
        let error = error(feature.call_in(bob(), tool, arguments).await);
        assert_eq!(error.code, -32021);
        assert_eq!(
            parse(&error.data_json),
            json!({ "requiredCapabilities": required })
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_refused() {
    let feature = Feature::start().await;
    let inputs_json = HashMap::from([("roots".to_owned(), "{".into())]);
    let events = feature
        .call_in(
            CallContext {
                inputs_json,
                ..alice()
            },
            "getRoots",
            json!({}),
        )
        .await;
    assert_eq!(error(events).code, -32602);
}
