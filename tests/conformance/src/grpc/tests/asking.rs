use super::*;

#[tokio::test]
async fn sampling_asks_the_model_and_repeats_its_answer() {
    let client = Client::new();
    let arguments = json!({ "prompt": "Test prompt for sampling" });
    let asked = asked(
        client
            .round("test_sampling", arguments.clone(), Value::Null, b"")
            .await,
    );
    let message =
        json!({ "role": "user", "content": { "type": "text", "text": "Test prompt for sampling" } });
    let params = json!({ "messages": [message], "maxTokens": 100 });
    let expected = json!({ "sampling": { "method": "sampling/createMessage", "params": params } });
    assert_eq!(questions(&asked), expected);
    for content in [
        json!({ "type": "text", "text": "A." }),
        json!([{ "type": "text", "text": "A." }]),
    ] {
        let inputs = json!({ "sampling": { "role": "assistant", "content": content, "model": "m" } });
        let answered = result(
            client
                .round("test_sampling", arguments.clone(), inputs, b"")
                .await,
        );
        assert_eq!(answered, text("LLM response: A."));
    }
}

#[tokio::test]
async fn elicitation_asks_for_a_name_and_an_address() {
    let client = Client::new();
    let arguments = json!({ "message": "Please provide your information" });
    let asked = asked(
        client
            .round("test_elicitation", arguments.clone(), Value::Null, b"")
            .await,
    );
    let schema = json!({
        "type": "object",
        "properties": {
            "username": { "type": "string", "description": "User's response" },
            "email": { "type": "string", "description": "User's email address" },
        },
        "required": ["username", "email"],
    });
    let params = json!({ "message": "Please provide your information", "requestedSchema": schema });
    let expected = json!({ "elicitation": { "method": "elicitation/create", "params": params } });
    assert_eq!(questions(&asked), expected);

    let content = json!({ "username": "testuser", "email": "test@example.com" });
    let inputs = json!({ "elicitation": accepted(content.clone()) });
    let answered = result(
        client
            .round("test_elicitation", arguments.clone(), inputs, b"")
            .await,
    );
    assert_eq!(
        answered,
        text(&format!("User response: action=accept, content={content}"))
    );
    let inputs = json!({ "elicitation": { "action": "decline" } });
    let declined = result(client.round("test_elicitation", arguments, inputs, b"").await);
    assert_eq!(declined, text("User response: action=decline, content={}"));
}

#[tokio::test]
async fn every_primitive_has_its_default() {
    let client = Client::new();
    let name = "test_elicitation_sep1034_defaults";
    let asked = asked(client.round(name, json!({}), Value::Null, b"").await);
    let schema = &questions(&asked)["elicitation"]["params"]["requestedSchema"];
    let properties = &schema["properties"];
    let field = |name: &str| {
        (
            properties[name]["type"].clone(),
            properties[name]["default"].clone(),
        )
    };
    assert_eq!(field("name"), (json!("string"), json!("John Doe")));
    assert_eq!(field("age"), (json!("integer"), json!(30)));
    assert_eq!(field("score"), (json!("number"), json!(95.5)));
    assert_eq!(field("status"), (json!("string"), json!("active")));
    assert_eq!(
        properties["status"]["enum"],
        json!(["active", "inactive", "pending"])
    );
    assert_eq!(field("verified"), (json!("boolean"), json!(true)));
    let inputs = json!({ "elicitation": { "action": "cancel" } });
    let answered = result(client.round(name, json!({}), inputs, b"").await);
    assert_eq!(answered, text("Elicitation completed: action=cancel, content={}"));
}

#[tokio::test]
async fn every_kind_of_choice_is_offered() {
    let asked = asked(
        Client::new()
            .round("test_elicitation_sep1330_enums", json!({}), Value::Null, b"")
            .await,
    );
    let schema = &questions(&asked)["elicitation"]["params"]["requestedSchema"];
    let mut properties = schema["properties"].clone();
    for (_, property) in properties.as_object_mut().unwrap() {
        for note in ["description", "minItems", "maxItems"] {
            property.as_object_mut().unwrap().remove(note);
        }
    }
    let titled = |titles: [&str; 3]| {
        json!([
            { "const": "value1", "title": titles[0] },
            { "const": "value2", "title": titles[1] },
            { "const": "value3", "title": titles[2] },
        ])
    };
    let options = json!(["option1", "option2", "option3"]);
    let expected = json!({
        "untitledSingle": { "type": "string", "enum": options },
        "titledSingle": { "type": "string", "oneOf": titled(["First Option", "Second Option", "Third Option"]) },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": { "type": "array", "items": { "type": "string", "enum": options } },
        "titledMulti": {
            "type": "array",
            "items": { "anyOf": titled(["First Choice", "Second Choice", "Third Choice"]) },
        },
    });
    assert_eq!(properties, expected);
}

#[tokio::test]
async fn nothing_undeclared_is_asked() {
    let client = Client::declaring(ClientCapabilities::default());
    let expect = [
        ("test_sampling", json!({ "prompt": "p" }), "sampling"),
        ("test_elicitation", json!({ "message": "m" }), "elicitation"),
        ("test_elicitation_sep1034_defaults", json!({}), "elicitation"),
        ("test_elicitation_sep1330_enums", json!({}), "elicitation"),
        ("test_streaming_elicitation", json!({}), "elicitation"),
        ("test_input_required_result_list_roots", json!({}), "roots"),
        (
            "test_input_required_result_multiple_inputs",
            json!({}),
            "elicitation",
        ),
    ];
    for (name, arguments, capability) in expect {
        let refused = client.result(name, arguments).await;
        assert_eq!(refused["isError"], true, "{name}");
        let text = refused["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(&format!("`{capability}`")), "{name}: {text}");
    }
}

#[tokio::test]
async fn a_needed_capability_is_named_in_the_error() {
    let client = Client::declaring(ClientCapabilities::default());
    let error = error(
        client
            .round("test_missing_capability", json!({}), Value::Null, b"")
            .await,
    );
    assert_eq!(error.code, -32021);
    assert_eq!(
        parsed(&error.data_json),
        json!({ "requiredCapabilities": { "sampling": {} } })
    );
    let declared = Client::new().result("test_missing_capability", json!({})).await;
    assert_eq!(declared["isError"], Value::Null);
}

#[tokio::test]
async fn missing_arguments_are_tool_errors_that_name_them() {
    let client = Client::new();
    for (tool, argument) in [("test_sampling", "prompt"), ("test_elicitation", "message")] {
        let refused = client.result(tool, json!({})).await;
        assert_eq!(refused["isError"], true);
        let expected = format!("Invalid arguments: `{argument}` is required.");
        assert_eq!(refused["content"][0]["text"], expected);
        let refused = client.result(tool, json!({ argument: 7 })).await;
        let expected = format!("Invalid arguments: `{argument}` must be a string.");
        assert_eq!(refused["content"][0]["text"], expected);
    }
}
