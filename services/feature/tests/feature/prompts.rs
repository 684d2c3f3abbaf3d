//! Prompts and completions.

use everything_proto::feature::v1::{CompleteResponse, complete_request::Reference};
use serde_json::{Value, json};

use crate::harness::{Feature, error, result};

async fn messages(feature: &Feature, name: &str, arguments: &[(&str, &str)]) -> Value {
    result(feature.prompt(name, arguments).await)["messages"].clone()
}

fn said(role: &str, text: &str) -> Value {
    json!({ "role": role, "content": { "type": "text", "text": text } })
}

#[tokio::test]
async fn the_simple_prompt_needs_no_arguments_and_tolerates_unknown_ones() {
    let feature = Feature::start().await;
    let expected = json!([said("user", "This is a simple prompt without arguments.")]);
    assert_eq!(messages(&feature, "simple_prompt", &[]).await, expected);
    assert_eq!(messages(&feature, "simple_prompt", &[("x", "y")]).await, expected);
    let prompt = result(feature.prompt("simple_prompt", &[]).await);
    assert_eq!(prompt["description"], "A prompt without arguments");
}

#[tokio::test]
async fn the_complex_prompt_has_three_messages_and_an_image() {
    let feature = Feature::start().await;
    let both = messages(
        &feature,
        "complex_prompt",
        &[("temperature", "0.7"), ("style", "formal")],
    )
    .await;
    let start = "This is a complex prompt with arguments: temperature=0.7";
    assert_eq!(both[0], said("user", &format!("{start}, style=formal")));
    let reply = "I understand. You've provided a complex prompt with temperature and style arguments. How would you \
                 like me to proceed?";
    assert_eq!(both[1], said("assistant", reply));
    assert_eq!(both[2]["role"], "user");
    assert_eq!(both[2]["content"]["type"], "image");
    assert_eq!(both[2]["content"]["mimeType"], "image/png");
    let one = messages(&feature, "complex_prompt", &[("temperature", "0.7")]).await;
    assert_eq!(one[0], said("user", start));
}

#[tokio::test]
async fn the_resource_prompt_embeds_a_resource() {
    let feature = Feature::start().await;
    assert_eq!(
        messages(&feature, "resource_prompt", &[("resourceId", "3")]).await,
        json!([
            said("user", "This prompt includes Resource 3. Please analyze the following resource:"),
            { "role": "user", "content": { "type": "resource", "resource": {
                "uri": "test://static/resource/3",
                "mimeType": "text/plain",
                "text": "Resource 3: This is a plaintext resource",
            } } },
        ])
    );
    for bad in ["0", "101", "three", "1.5", "-1"] {
        let error = error(feature.prompt("resource_prompt", &[("resourceId", bad)]).await);
        assert_eq!(
            (error.code, error.message.as_str()),
            (-32602, "argument \"resourceId\" must be a number from 1 to 100")
        );
    }
}

#[tokio::test]
async fn the_completable_prompt_uses_both_arguments() {
    let feature = Feature::start().await;
    let arguments = [("department", "Sales"), ("name", "Eve")];
    assert_eq!(
        messages(&feature, "completable_prompt", &arguments).await,
        json!([said("user", "Please promote Eve to the head of the Sales team.")])
    );
}

#[tokio::test]
async fn a_missing_argument_is_named() {
    let feature = Feature::start().await;
    for (prompt, arguments, missing) in [
        ("complex_prompt", &[][..], "temperature"),
        ("complex_prompt", &[("style", "formal")], "temperature"),
        ("complex_prompt", &[("temperature", "")], "temperature"),
        ("resource_prompt", &[], "resourceId"),
        ("completable_prompt", &[("department", "Sales")], "name"),
    ] {
        let error = error(feature.prompt(prompt, arguments).await);
        let message = format!("missing required argument \"{missing}\" of prompt {prompt}");
        assert_eq!((error.code, error.message), (-32602, message));
    }
    let error = error(feature.prompt("nope", &[]).await);
    assert_eq!(
        (error.code, error.message.as_str()),
        (-32602, "unknown prompt: nope")
    );
}

fn prompt(name: &str) -> Reference {
    Reference::Prompt(name.to_owned())
}

fn values(response: CompleteResponse) -> Vec<String> {
    assert_eq!(response.error, None);
    assert_eq!(
        (response.total, response.has_more),
        (Some(response.values.len() as u32), false)
    );
    response.values
}

#[tokio::test]
async fn arguments_are_completed_by_prefix() {
    let feature = Feature::start().await;
    for (name, argument, typed, expected) in [
        (
            "complex_prompt",
            "style",
            "",
            &["casual", "formal", "technical", "friendly"][..],
        ),
        ("complex_prompt", "style", "F", &["formal", "friendly"]),
        ("complex_prompt", "style", "x", &[]),
        ("complex_prompt", "temperature", "0.", &["0.5", "0.7"]),
        ("complex_prompt", "other", "", &[]),
        ("resource_prompt", "resourceId", "10", &["10", "100"]),
        ("completable_prompt", "department", "s", &["Sales", "Support"]),
        ("simple_prompt", "any", "ü", &[]),
    ] {
        let completed = values(feature.complete(prompt(name), argument, typed, &[]).await);
        assert_eq!(completed, expected, "{name} {argument} {typed}");
    }
}

#[tokio::test]
async fn a_completion_may_depend_on_an_earlier_argument() {
    let feature = Feature::start().await;
    for (department, typed, expected) in [
        ("Sales", "", &["David", "Eve", "Frank"][..]),
        ("Engineering", "b", &["Bob"]),
        ("Nowhere", "", &[]),
    ] {
        let resolved = [("department", department)];
        let response = feature
            .complete(prompt("completable_prompt"), "name", typed, &resolved)
            .await;
        assert_eq!(values(response), expected);
    }
    let response = feature
        .complete(prompt("completable_prompt"), "name", "", &[])
        .await;
    assert_eq!(values(response), Vec::<String>::new());
}

#[tokio::test]
async fn template_variables_are_completed() {
    let feature = Feature::start().await;
    let template = || Reference::ResourceTemplate("test://static/resource/{id}".to_owned());
    let all = values(feature.complete(template(), "id", "", &[]).await);
    assert_eq!(all, (1..=100).map(|id| id.to_string()).collect::<Vec<_>>());
    let some = values(feature.complete(template(), "id", "9", &[]).await);
    assert_eq!(
        some,
        ["9", "90", "91", "92", "93", "94", "95", "96", "97", "98", "99"]
    );
    assert_eq!(
        values(feature.complete(template(), "other", "", &[]).await),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn what_is_unknown_is_not_completed() {
    let feature = Feature::start().await;
    let unknown = Reference::ResourceTemplate("test://other/{id}".to_owned());
    for (reference, message) in [
        (prompt("nope"), "unknown prompt: nope"),
        (unknown, "unknown resource template: test://other/{id}"),
    ] {
        let error = feature.complete(reference, "id", "", &[]).await.error.unwrap();
        assert_eq!((error.code, error.message.as_str()), (-32602, message));
    }
}
