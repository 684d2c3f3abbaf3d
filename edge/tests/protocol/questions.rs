//! How a feature's question reaches a client: exactly as its revision can put it, or not at all.

use everything_edge::{jsonrpc::RpcError, revisions::WithSessions};
use everything_proto::feature::v1::{ClientCapabilities, InputRequest, ListRoots, input_request::Request};
use serde_json::{Value, json};

use crate::{
    generate::{self, bytes},
    schema,
};

fn able() -> ClientCapabilities {
    ClientCapabilities {
        sampling: true,
        sampling_tools: true,
        sampling_context: true,
        elicitation_form: true,
        elicitation_url: true,
        roots: true,
        ..ClientCapabilities::default()
    }
}

fn ask(
    revision: &dyn WithSessions,
    request: Request,
    declared: &ClientCapabilities,
) -> Result<Value, RpcError> {
    let request = InputRequest {
        key: "k".into(),
        request: Some(request),
    };
    revision
        .input_request("s-1", &request, declared)
        .map(|message| serde_json::from_slice(&message).unwrap())
}

#[test]
fn nothing_is_asked_that_the_client_did_not_declare() {
    let url = json!({ "message": "m", "url": "https://example.org/" });
    let sampling = json!({ "messages": [], "maxTokens": 1 });
    for schema in schema::all() {
        for (request, required) in [
            (Request::SamplingJson(bytes(&sampling)), json!({ "sampling": {} })),
            (
                Request::ElicitationFormJson(bytes(&generate::form(&[]))),
                json!({ "elicitation": { "form": {} } }),
            ),
            (
                Request::ElicitationUrlJson(bytes(&url)),
                json!({ "elicitation": { "url": {} } }),
            ),
            (Request::ListRoots(ListRoots {}), json!({ "roots": {} })),
        ] {
            let error = ask(schema.revision, request, &ClientCapabilities::default()).unwrap_err();
            assert_eq!(error.code, -32600);
            let data: Value = serde_json::from_str(error.data.unwrap().get()).unwrap();
            assert_eq!(data, json!({ "requiredCapabilities": required }));
        }
    }
}

#[test]
fn a_form_has_only_fields_that_the_revision_can_show() {
    let form = generate::form(&["name", "titled"]);
    let newest = ask(
        schema::of("2025-11-25").revision,
        Request::ElicitationFormJson(bytes(&form)),
        &able(),
    )
    .unwrap();
    assert_eq!(
        newest,
        json!({ "jsonrpc": "2.0", "id": "s-1", "method": "elicitation/create", "params": form })
    );

    let plain = ask(
        schema::of("2025-06-18").revision,
        Request::ElicitationFormJson(bytes(&form)),
        &able(),
    )
    .unwrap();
    let properties = json!({
        "name": { "type": "string", "title": "Name", "description": "d", "minLength": 1, "maxLength": 5 },
        "email": { "type": "string", "format": "email" },
        "age": { "type": "integer", "minimum": 0, "maximum": 150 },
        "score": { "type": "number" },
        "agree": { "type": "boolean", "default": true },
        "plain": { "type": "string", "enum": ["a", "b"] },
        "titled": { "type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"] },
        "legacy": { "type": "string", "enum": ["1", "2"], "enumNames": ["One", "Two"] },
    });
    let requested = json!({ "type": "object", "properties": properties, "required": ["name", "titled"] });
    assert_eq!(
        plain["params"],
        json!({ "message": "who are you?", "requestedSchema": requested })
    );

    let form = generate::form(&["many"]);
    let error = ask(
        schema::of("2025-06-18").revision,
        Request::ElicitationFormJson(bytes(&form)),
        &able(),
    );
    assert_eq!(
        error.unwrap_err().message,
        "the form needs the field `many`, which this protocol version cannot ask for"
    );
}

#[test]
fn a_visit_to_a_url_has_an_id() {
    let revision = schema::of("2025-11-25").revision;
    let mut params = json!({ "mode": "url", "message": "m", "url": "https://example.org/" });
    let asked = ask(revision, Request::ElicitationUrlJson(bytes(&params)), &able()).unwrap();
    assert_eq!(asked["params"]["elicitationId"], "s-1");
    params["elicitationId"] = json!("own");
    let asked = ask(revision, Request::ElicitationUrlJson(bytes(&params)), &able()).unwrap();
    assert_eq!(asked["params"], params);
}

#[test]
fn roots_are_asked_for_without_params() {
    for schema in schema::all() {
        let asked = ask(schema.revision, Request::ListRoots(ListRoots {}), &able()).unwrap();
        assert_eq!(
            asked,
            json!({ "jsonrpc": "2.0", "id": "s-1", "method": "roots/list" })
        );
    }
}

#[test]
fn sampling_says_what_the_revision_can_say() {
    let text = |text: &str| json!({ "type": "text", "text": text });
    let params = json!({
        "messages": [{ "role": "user", "content": [text("a"), text("b")], "_meta": { "x": 1 } }],
        "maxTokens": 10, "includeContext": "thisServer",
    });
    let sample = |version: &str, declared: &ClientCapabilities| {
        ask(
            schema::of(version).revision,
            Request::SamplingJson(bytes(&params)),
            declared,
        )
        .unwrap()["params"]
            .take()
    };
    let split = json!({
        "messages": [{ "role": "user", "content": text("a") }, { "role": "user", "content": text("b") }],
        "maxTokens": 10, "includeContext": "thisServer",
    });
    for version in ["2024-11-05", "2025-03-26", "2025-06-18"] {
        assert_eq!(sample(version, &able()), split);
    }
    assert_eq!(sample("2025-11-25", &able()), params);
    let without_context = sample(
        "2025-11-25",
        &ClientCapabilities {
            sampling: true,
            ..Default::default()
        },
    );
    assert_eq!(without_context.get("includeContext"), None);
}

#[test]
fn sampling_with_tools_needs_the_capability() {
    let params = bytes(&generate::sampling(&mut generate::Seed::new(1), true));
    for schema in schema::all() {
        let declared = ClientCapabilities {
            sampling_tools: schema.version() != "2025-11-25",
            ..able()
        };
        let error = ask(schema.revision, Request::SamplingJson(params.clone()), &declared).unwrap_err();
        assert_eq!(
            error.data.unwrap().get(),
            r#"{"requiredCapabilities":{"sampling":{"tools":{}}}}"#
        );
    }
}

#[test]
fn a_malformed_question_of_a_feature_is_our_fault() {
    for schema in schema::all() {
        for params in [
            "",
            "[]",
            "{}",
            r#"{"messages":7}"#,
            r#"{"messages":[7]}"#,
            r#"{"messages":[{"role":"user"}]}"#,
        ] {
            let params = bytes::Bytes::from_static(params.as_bytes());
            let error = ask(schema.revision, Request::SamplingJson(params), &able()).unwrap_err();
            assert_eq!(error.code, -32603);
        }
        let nothing = InputRequest {
            key: "k".into(),
            request: None,
        };
        assert_eq!(
            schema
                .revision
                .input_request("s-1", &nothing, &able())
                .unwrap_err()
                .code,
            -32603
        );
    }
}
