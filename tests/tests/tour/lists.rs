use rmcp::model::GetPromptRequestParams;
use serde_json::json;

use crate::visit::{Visit, error, in_time, json, text};

pub async fn grow_and_shrink(visit: &Visit) {
    visit.person.forget();
    let result = visit.call("switchExtraTool", json!({ "on": true })).await;
    assert_eq!(text(&result, 0), "The tool extraTool is now in the list.");
    visit.person.until("notifications/tools/list_changed", 1).await;
    assert!(tools(visit).await.contains(&"extraTool".to_owned()));
    let result = visit.call("extraTool", json!({})).await;
    assert_eq!(text(&result, 0), "The extra tool is there.");
    visit.call("switchExtraTool", json!({ "on": false })).await;
    visit.person.until("notifications/tools/list_changed", 2).await;
    assert!(!tools(visit).await.contains(&"extraTool".to_owned()));
    let gone = error(visit.try_call("extraTool", json!({})).await);
    assert_eq!((gone.code.0, &*gone.message), (-32602, "unknown tool: extraTool"));

    let result = visit.call("switchExtraPrompt", json!({ "on": true })).await;
    assert_eq!(text(&result, 0), "The prompt extra_prompt is now in the list.");
    visit.person.until("notifications/prompts/list_changed", 1).await;
    let prompts = in_time(visit.client.list_all_prompts()).await.unwrap();
    assert_eq!(prompts.last().unwrap().name, "extra_prompt");
    let got = in_time(
        visit
            .client
            .get_prompt(GetPromptRequestParams::new("extra_prompt")),
    )
    .await;
    let message = &json(&got.unwrap())["messages"][0];
    assert_eq!(message["content"]["text"], "The extra prompt is there.");
    visit.call("switchExtraPrompt", json!({ "on": false })).await;
    visit.person.until("notifications/prompts/list_changed", 2).await;
    let prompts = in_time(visit.client.list_all_prompts()).await.unwrap();
    assert_eq!(prompts.len(), 4);
}

async fn tools(visit: &Visit) -> Vec<String> {
    let tools = in_time(visit.client.list_all_tools()).await.unwrap();
    tools.into_iter().map(|tool| tool.name.into_owned()).collect()
}
