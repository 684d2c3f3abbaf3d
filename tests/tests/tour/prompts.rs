use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use rmcp::{
    ServiceError,
    model::{CompletionContext, GetPromptRequestParams, GetPromptResult, object},
};
use serde_json::{Value, json};

use crate::visit::{Visit, error, in_time, json};

pub async fn are_listed(visit: &Visit) {
    let page = in_time(visit.client.list_prompts(None)).await.unwrap();
    assert_eq!(page.next_cursor, None);
    let prompts = json(&page.prompts);
    let listed: Vec<_> = prompts
        .as_array()
        .unwrap()
        .iter()
        .map(|prompt| {
            assert!(prompt["title"].is_string() && prompt["description"].is_string());
            let arguments = prompt["arguments"].as_array().cloned().unwrap_or_default();
            let arguments = arguments.iter().map(|argument| {
                let required = argument["required"] == true;
                (argument["name"].as_str().unwrap().to_owned(), required)
            });
            (prompt["name"].as_str().unwrap(), arguments.collect::<Vec<_>>())
        })
        .collect();
    let argument = |name: &str, required| (name.to_owned(), required);
    assert_eq!(
        listed,
        [
            ("simple_prompt", vec![]),
            (
                "complex_prompt",
                vec![argument("temperature", true), argument("style", false)]
            ),
            ("resource_prompt", vec![argument("resourceId", true)]),
            (
                "completable_prompt",
                vec![argument("department", true), argument("name", true)]
            ),
        ]
    );
}

pub async fn have_text_images_and_resources(visit: &Visit) {
    let simple = get(visit, "simple_prompt", json!({})).await;
    assert_eq!(
        simple,
        json!({
            "description": "A prompt without arguments",
            "messages": [said("user", "This is a simple prompt without arguments.")],
        })
    );

    let arguments = json!({ "temperature": "0.5", "style": "formal" });
    let complex = get(visit, "complex_prompt", arguments).await;
    let messages = complex["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 3);
    assert_eq!(
        messages[0],
        said(
            "user",
            "This is a complex prompt with arguments: temperature=0.5, style=formal"
        )
    );
    assert_eq!(messages[1]["role"], "assistant");
    assert_eq!(
        (
            &messages[2]["content"]["type"],
            &messages[2]["content"]["mimeType"]
        ),
        (&json!("image"), &json!("image/png"))
    );
    let png = STANDARD.decode(messages[2]["content"]["data"].as_str().unwrap());
    assert!(png.unwrap().starts_with(b"\x89PNG"));
    let without_style = get(visit, "complex_prompt", json!({ "temperature": "1" })).await;
    assert_eq!(
        without_style["messages"][0],
        said("user", "This is a complex prompt with arguments: temperature=1")
    );

    let resource = get(visit, "resource_prompt", json!({ "resourceId": "8" })).await;
    assert_eq!(
        resource["messages"],
        json!([
            said(
                "user",
                "This prompt includes Resource 8. Please analyze the following resource:"
            ),
            { "role": "user", "content": { "type": "resource", "resource": {
                "uri": "test://static/resource/8",
                "mimeType": "application/octet-stream",
                "blob": STANDARD.encode("Resource 8: This is a base64 blob"),
            } } },
        ])
    );

    let arguments = json!({ "department": "Sales", "name": "Eve" });
    let completable = get(visit, "completable_prompt", arguments).await;
    assert_eq!(
        completable["messages"],
        json!([said("user", "Please promote Eve to the head of the Sales team.")])
    );
}

pub async fn complete_their_arguments(visit: &Visit) {
    for (prompt, argument, typed, expected) in [
        ("complex_prompt", "style", "F", vec!["formal", "friendly"]),
        ("complex_prompt", "temperature", "0.", vec!["0.5", "0.7"]),
        ("resource_prompt", "resourceId", "9", {
            vec!["9", "90", "91", "92", "93", "94", "95", "96", "97", "98", "99"]
        }),
        (
            "completable_prompt",
            "department",
            "",
            vec!["Engineering", "Sales", "Marketing", "Support"],
        ),
        ("simple_prompt", "nothing", "", vec![]),
    ] {
        let completing = visit.client.complete_prompt_simple(prompt, argument, typed);
        assert_eq!(
            in_time(completing).await.unwrap(),
            expected,
            "{prompt} {argument}"
        );
    }
    // Depends on what was chosen before.
    for (department, typed, expected) in [
        (Some("Engineering"), "", vec!["Alice", "Bob", "Charlie"]),
        (Some("Support"), "k", vec!["Kim"]),
        (None, "", vec![]),
    ] {
        let context = department.map(|department| {
            CompletionContext::with_arguments(HashMap::from([(
                "department".to_owned(),
                department.to_owned(),
            )]))
        });
        let completing = visit
            .client
            .complete_prompt_argument("completable_prompt", "name", typed, context);
        assert_eq!(
            in_time(completing).await.unwrap().values,
            expected,
            "{department:?}"
        );
    }
    let error = error(in_time(visit.client.complete_prompt_simple("no_prompt", "x", "")).await);
    assert_eq!(
        (error.code.0, &*error.message),
        (-32602, "unknown prompt: no_prompt")
    );
}

pub async fn name_what_is_missing(visit: &Visit) {
    for (prompt, arguments, message) in [
        (
            "complex_prompt",
            json!({ "style": "casual" }),
            r#"missing required argument "temperature" of prompt complex_prompt"#,
        ),
        (
            "resource_prompt",
            json!({ "resourceId": "101" }),
            r#"argument "resourceId" must be a number from 1 to 100"#,
        ),
        ("no_prompt", json!({}), "unknown prompt: no_prompt"),
    ] {
        let error = error(try_get(visit, prompt, arguments).await);
        assert_eq!((error.code.0, &*error.message), (-32602, message));
    }
}

async fn get(visit: &Visit, prompt: &str, arguments: Value) -> Value {
    json(&try_get(visit, prompt, arguments).await.unwrap())
}

async fn try_get(visit: &Visit, prompt: &str, arguments: Value) -> Result<GetPromptResult, ServiceError> {
    let params = GetPromptRequestParams::new(prompt).with_arguments(object(arguments));
    in_time(visit.client.get_prompt(params)).await
}

fn said(role: &str, text: &str) -> Value {
    json!({ "role": role, "content": { "type": "text", "text": text } })
}
