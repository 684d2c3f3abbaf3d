use serde_json::{Value, json};

use crate::visit::{Visit, in_time, text};

pub async fn samples_the_clients_model(visit: &Visit) {
    visit.person.forget();
    visit.person.will_sample("42, of course");
    let arguments = json!({ "prompt": "What is the answer?", "maxTokens": 55 });
    let result = visit.call("sampleLLM", arguments).await;
    assert_eq!(
        result,
        json!({ "content": [{ "type": "text", "text": "LLM sampling result: 42, of course" }] })
    );
    let mut asked = only(visit, "sampling/createMessage");
    let temperature = asked["temperature"].take().as_f64().unwrap();
    assert!((temperature - 0.7).abs() < 1e-6, "{temperature}");
    let message = json!({ "type": "text", "text": "Resource sampleLLM context: What is the answer?" });
    assert_eq!(asked["messages"], json!([{ "role": "user", "content": message }]));
    assert_eq!(asked["maxTokens"], 55);
    assert_eq!(asked["systemPrompt"], "You are a helpful test server.");
}

pub async fn has_a_form_filled_in(visit: &Visit) {
    visit.person.forget();
    let filled_in = json!({
        "name": "Ada Lovelace",
        "agree": true,
        "email": "ada@example.com",
        "birthdate": "1815-12-10",
        "integer": 7,
        "number": 3.25,
        "size": "large",
        "pet": "bird",
        "instruments": ["piano", "drums"],
        "fish": ["trout"],
        "planet": "venus",
    });
    visit.person.will_accept(Some(filled_in.clone()));
    let result = visit.call("elicitInputs", json!({})).await;
    assert_eq!(
        text(&result, 0),
        "User provided the requested information:\n- name: Ada Lovelace\n- agree: true\n- email: ada@example.com\n\
         - birthdate: 1815-12-10\n- integer: 7\n- number: 3.25\n- size: large\n- pet: bird\n- instruments: piano, drums\n\
         - fish: trout\n- planet: venus"
    );
    assert_eq!(told(&result), json!({ "action": "accept", "content": filled_in }));
    every_kind_of_field(&only(visit, "elicitation/create"));

    // An answer that does not fit the form is not taken for one.
    visit
        .person
        .will_accept(Some(json!({ "name": "Ada", "integer": 101 })));
    let refused = visit.try_call("elicitInputs", json!({})).await;
    let refusal = match &refused {
        Ok(result) if result.is_error == Some(true) => format!("{result:?}"),
        Ok(result) => panic!("taken: {result:?}"),
        Err(error) => error.to_string(),
    };
    assert!(refusal.contains("integer"), "does not name the field: {refusal}");

    visit.person.will_decline();
    let result = visit.call("elicitInputs", json!({})).await;
    assert_eq!(
        text(&result, 0),
        "User declined to provide the requested information."
    );
    assert_eq!(told(&result), json!({ "action": "decline" }));
    visit.person.will_cancel();
    let result = visit.call("elicitInputs", json!({})).await;
    assert_eq!(text(&result, 0), "User cancelled the elicitation dialog.");
    assert_eq!(told(&result), json!({ "action": "cancel" }));
}

fn every_kind_of_field(asked: &Value) {
    assert_eq!(asked["mode"], "form");
    assert_eq!(
        asked["message"],
        "Please provide inputs for the following fields:"
    );
    let schema = &asked["requestedSchema"];
    assert_eq!(
        (&schema["type"], &schema["required"]),
        (&json!("object"), &json!(["name"]))
    );
    let field = |name: &str| &schema["properties"][name];
    assert_eq!(schema["properties"].as_object().unwrap().len(), 14);
    assert_eq!(
        field("name"),
        &json!({
            "type": "string",
            "title": "Full name",
            "description": "Your full, legal name",
            "minLength": 1,
            "maxLength": 100,
        })
    );
    for (name, kind, default) in [
        ("agree", "boolean", json!(false)),
        ("color", "string", json!("blue")),
        ("integer", "integer", json!(42)),
        ("number", "number", json!(2.5)),
        ("size", "string", json!("medium")),
        ("pet", "string", json!("dog")),
        ("instruments", "array", json!(["guitar"])),
        ("fish", "array", json!(["salmon"])),
    ] {
        assert_eq!(
            (&field(name)["type"], &field(name)["default"]),
            (&json!(kind), &default),
            "{name}"
        );
    }
    for (name, format) in [
        ("email", "email"),
        ("homepage", "uri"),
        ("birthdate", "date"),
        ("appointment", "date-time"),
    ] {
        assert_eq!(field(name)["format"], format, "{name}");
    }
    assert_eq!(field("size")["enum"], json!(["small", "medium", "large"]));
    assert_eq!(
        field("pet")["oneOf"][2],
        json!({ "const": "bird", "title": "Birds" })
    );
    assert_eq!(field("instruments")["items"]["enum"][3], "drums");
    assert_eq!(
        field("fish")["items"]["anyOf"][0],
        json!({ "const": "tuna", "title": "Tuna" })
    );
    assert_eq!(field("planet")["enumNames"], json!(["Mars", "Venus", "Saturn"]));
}

pub async fn asks_one_question_after_the_other(visit: &Visit) {
    visit.person.forget();
    let answers = [
        json!({ "guests": 12 }),
        json!({ "dish": "chili" }),
        json!({ "agreed": true }),
    ];
    visit.person.will_accept_in_turn(answers);
    let result = visit.call("elicitInSteps", json!({ "occasion": "lunch" })).await;
    assert_eq!(text(&result, 0), "Planned. For lunch: chili for 12.");
    let asked = visit.person.received("elicitation/create");
    let messages: Vec<_> = asked
        .iter()
        .map(|params| params["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        messages,
        [
            "Step 1 of 3. How many guests come to lunch?",
            "Step 2 of 3. What is there for 12?",
            "Step 3 of 3. For lunch: chili for 12. Agreed?",
        ]
    );
    assert_eq!(
        asked[1]["requestedSchema"]["properties"]["dish"]["enum"],
        json!(["curry", "chili", "lasagne"])
    );
    visit.person.will_decline();
    let result = visit.call("elicitInSteps", json!({})).await;
    assert_eq!(text(&result, 0), "The user declined to plan.");
}

pub async fn researches_what_the_user_means(visit: &Visit) {
    visit.person.forget();
    visit
        .person
        .will_accept(Some(json!({ "interpretation": "popular" })));
    let arguments = json!({ "topic": "jazz", "ambiguous": true, "duration": 0.1 });
    let result = visit.call("simulateResearchQuery", arguments).await;
    assert!(
        text(&result, 0).starts_with("# Research report: jazz (popular)"),
        "{result}"
    );
    let asked = only(visit, "elicitation/create");
    let choices = &asked["requestedSchema"]["properties"]["interpretation"]["enum"];
    assert_eq!(choices, &json!(["technical", "historical", "popular"]));
}

pub async fn sends_the_user_to_a_page(visit: &Visit) {
    visit.person.forget();
    let arguments = json!({ "url": "https://example.com/pay?order=1", "message": "Please pay." });
    visit.person.will_accept(None);
    let result = visit.call("elicitUrl", arguments.clone()).await;
    assert_eq!(
        text(&result, 0),
        "User agreed to open https://example.com/pay?order=1."
    );
    let asked = only(visit, "elicitation/create");
    assert_eq!(
        (&asked["mode"], &asked["url"], &asked["message"]),
        (&json!("url"), &arguments["url"], &arguments["message"])
    );
    assert!(!asked["elicitationId"].as_str().unwrap().is_empty());

    visit.person.will_decline();
    let result = visit.call("elicitUrl", arguments.clone()).await;
    assert_eq!(
        text(&result, 0),
        "User declined to open https://example.com/pay?order=1."
    );
    visit.person.will_cancel();
    let result = visit.call("elicitUrl", arguments).await;
    assert_eq!(text(&result, 0), "User cancelled the elicitation dialog.");
}

pub async fn looks_at_the_roots(visit: &Visit) {
    visit
        .person
        .has_roots(&[("file:///home/ada", Some("home")), ("file:///tmp", None)]);
    let result = visit.call("getRoots", json!({})).await;
    assert_eq!(
        text(&result, 0),
        "Current MCP roots (2 total):\n1. home\n   URI: file:///home/ada\n2. Unnamed root\n   URI: file:///tmp"
    );
    visit.person.has_roots(&[]);
    in_time(visit.client.notify_roots_list_changed()).await.unwrap();
    let result = visit.call("getRoots", json!({})).await;
    assert_eq!(text(&result, 0), "The client has no roots configured.");
}

/// The params of the one request that came.
fn only(visit: &Visit, method: &str) -> Value {
    let asked = visit.person.received(method);
    assert_eq!(asked.len(), 1, "{method}: {asked:?}");
    asked[0].clone()
}

/// The person's answer, as the tool got it.
fn told(result: &Value) -> Value {
    let json = text(result, 1).strip_prefix("Elicitation result: ").unwrap();
    serde_json::from_str(json).unwrap()
}
