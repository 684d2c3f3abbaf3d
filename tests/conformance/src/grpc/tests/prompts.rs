use super::*;
use crate::media;

fn user(contents: &[Value]) -> Value {
    let messages: Vec<_> = contents
        .iter()
        .map(|content| json!({ "role": "user", "content": content }))
        .collect();
    json!({ "messages": messages })
}

fn text_content(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

#[tokio::test]
async fn messages_are_as_documented() {
    let client = Client::new();
    let simple = result(client.prompt("test_simple_prompt", &[], Value::Null).await);
    assert_eq!(
        simple,
        user(&[text_content("This is a simple prompt for testing.")])
    );

    let arguments = [("arg1", "testValue1"), ("arg2", "testValue2")];
    let prompt = result(
        client
            .prompt("test_prompt_with_arguments", &arguments, Value::Null)
            .await,
    );
    assert_eq!(
        prompt,
        user(&[text_content(
            "Prompt with arguments: arg1='testValue1', arg2='testValue2'"
        )])
    );

    let arguments = [("resourceUri", "test://example-resource")];
    let prompt = result(
        client
            .prompt("test_prompt_with_embedded_resource", &arguments, Value::Null)
            .await,
    );
    let resource = json!({
        "uri": "test://example-resource",
        "mimeType": "text/plain",
        "text": "Embedded resource content for testing.",
    });
    let resource = json!({ "type": "resource", "resource": resource });
    assert_eq!(
        prompt,
        user(&[
            resource,
            text_content("Please process the embedded resource above.")
        ])
    );

    let prompt = result(client.prompt("test_prompt_with_image", &[], Value::Null).await);
    let image = json!({ "type": "image", "data": media::PNG, "mimeType": "image/png" });
    assert_eq!(
        prompt,
        user(&[image, text_content("Please analyze the image above.")])
    );
}

#[tokio::test]
async fn a_missing_argument_is_named() {
    let client = Client::new();
    let missing = error(
        client
            .prompt("test_prompt_with_arguments", &[("arg1", "a")], Value::Null)
            .await,
    );
    assert_eq!(
        (missing.code, missing.message.as_str()),
        (-32602, "missing required argument: arg2")
    );
    let unknown = error(client.prompt("no_such_prompt", &[], Value::Null).await);
    assert_eq!(
        (unknown.code, unknown.message.as_str()),
        (-32602, "unknown prompt: no_such_prompt")
    );
}

#[tokio::test]
async fn a_prompt_can_ask_first() {
    let client = Client::new();
    let name = "test_input_required_result_prompt";
    let asked = asked(client.prompt(name, &[], Value::Null).await);
    let schema = json!({
        "type": "object",
        "properties": { "context": { "type": "string" } },
        "required": ["context"],
    });
    let params = json!({ "message": "What context should the prompt use?", "requestedSchema": schema });
    let expected = json!({ "user_context": { "method": "elicitation/create", "params": params } });
    assert_eq!(questions(&asked), expected);
    let inputs = json!({ "user_context": accepted(json!({ "context": "test context" })) });
    let answered = result(client.prompt(name, &[], inputs).await);
    assert_eq!(answered, user(&[text_content("Use this context: test context")]));

    let silent = Client::declaring(ClientCapabilities::default());
    let refused = error(silent.prompt(name, &[], Value::Null).await);
    assert_eq!(refused.code, -32021);
    assert_eq!(
        parsed(&refused.data_json),
        json!({ "requiredCapabilities": { "elicitation": {} } })
    );
}
