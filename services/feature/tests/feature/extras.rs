//! Lists that change.

use change_feed::{ChangeFeed, ChangeId};
use everything_proto::{
    events::v1::{change, list_changed::List},
    feature::v1::{CallContext, GetPromptRequest, ListPromptsRequest, ListToolsRequest},
};
use serde_json::json;

use crate::harness::{Feature, alice, bob, collect, error, json as parse, result};

/// Names of all tools and prompts that somebody is shown.
async fn listed(feature: &Feature, context: CallContext) -> Vec<String> {
    let mut client = feature.client.clone();
    let request = ListToolsRequest {
        context: Some(context.clone()),
        cursor: None,
    };
    let tools = client.list_tools(request).await.unwrap().into_inner().tools;
    let request = ListPromptsRequest {
        context: Some(context),
        cursor: None,
    };
    let prompts = client.list_prompts(request).await.unwrap().into_inner().prompts;
    let tools = tools.into_iter().map(|tool| tool.name);
    tools
        .chain(prompts.into_iter().map(|prompt| prompt.name))
        .collect()
}

async fn told(feature: &Feature) -> Vec<(String, List)> {
    let changes = feature.feed.since(ChangeId::ZERO).await.unwrap();
    changes
        .into_iter()
        .map(|(_, change)| match change.change {
            Some(change::Change::ListChanged(changed)) => (change.session_key, changed.list()),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[tokio::test]
async fn an_extra_tool_comes_and_goes_for_one_session() {
    let feature = Feature::start().await;
    let before = listed(&feature, alice()).await;
    let unknown = error(feature.call_in(alice(), "extraTool", json!({})).await);
    assert_eq!(
        (unknown.code, unknown.message.as_str()),
        (-32602, "unknown tool: extraTool")
    );

    for said in ["now", "still"] {
        let on = feature.call("switchExtraTool", json!({ "on": true })).await;
        assert_eq!(
            on["content"][0]["text"],
            format!("The tool extraTool is {said} in the list.")
        );
    }
    let mut with = before.clone();
    with.insert(
        before.iter().position(|name| name == "simple_prompt").unwrap(),
        "extraTool".to_owned(),
    );
    assert_eq!(listed(&feature, alice()).await, with);
    let called = feature.call("extraTool", json!({})).await;
    assert_eq!(called["content"][0]["text"], "The extra tool is there.");
    assert_eq!(listed(&feature, bob()).await, before, "another session's");
    error(feature.call_in(bob(), "extraTool", json!({})).await);

    let off = feature.call("switchExtraTool", json!({ "on": false })).await;
    assert_eq!(
        off["content"][0]["text"],
        "The tool extraTool is now not in the list."
    );
    assert_eq!(listed(&feature, alice()).await, before);
    error(feature.call_in(alice(), "extraTool", json!({})).await);
    // Once per change, and only to whom it concerns.
    let key = alice().session_key;
    assert_eq!(
        told(&feature).await,
        [(key.clone(), List::Tools), (key, List::Tools)]
    );
}

#[tokio::test]
async fn an_extra_prompt_comes_and_goes() {
    let feature = Feature::start().await;
    let get = || async {
        let request = GetPromptRequest {
            context: Some(alice()),
            name: "extra_prompt".to_owned(),
            ..GetPromptRequest::default()
        };
        collect(
            feature
                .client
                .clone()
                .get_prompt(request)
                .await
                .unwrap()
                .into_inner(),
        )
        .await
    };
    assert_eq!(error(get().await).message, "unknown prompt: extra_prompt");
    feature.call("switchExtraPrompt", json!({ "on": true })).await;
    assert_eq!(listed(&feature, alice()).await.last().unwrap(), "extra_prompt");
    assert_eq!(
        result(get().await)["messages"][0]["content"]["text"],
        "The extra prompt is there."
    );
    feature.call("switchExtraPrompt", json!({ "on": false })).await;
    assert_eq!(error(get().await).message, "unknown prompt: extra_prompt");
    let key = alice().session_key;
    assert_eq!(
        told(&feature).await,
        [(key.clone(), List::Prompts), (key, List::Prompts)]
    );
}

#[tokio::test]
async fn arguments_that_headers_repeat_are_annotated() {
    let feature = Feature::start().await;
    let request = ListToolsRequest {
        context: Some(alice()),
        cursor: None,
    };
    let tools = feature.client.clone().list_tools(request).await.unwrap();
    let tools = tools.into_inner().tools;
    let tool = tools.iter().find(|tool| tool.name == "mirrorHeaders").unwrap();
    let schema = parse(&tool.input_schema_json);
    for (pointer, kind, header) in [
        ("/properties/region", "string", "Region"),
        ("/properties/priority", "integer", "Priority"),
        ("/properties/dryRun", "boolean", "Dry-Run"),
        ("/properties/target/properties/tenant", "string", "Tenant"),
    ] {
        let property = schema.pointer(pointer).unwrap();
        assert_eq!(
            (&property["type"], &property["x-mcp-header"]),
            (&json!(kind), &json!(header)),
            "{pointer}"
        );
    }
    let arguments = json!({ "region": "eu", "target": { "tenant": "t" } });
    let result = feature.call("mirrorHeaders", arguments).await;
    assert_eq!(
        result["content"][0]["text"],
        "Region: eu\nPriority: 5\nDry run: false\nTenant: t\nNote: "
    );
}
