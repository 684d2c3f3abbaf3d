//! Lists: order, paging, and what clients are told about caching.

use everything_proto::feature::v1::{
    CacheHint, ListPromptsRequest, ListResourceTemplatesRequest, ListResourcesRequest, ListResourcesResponse,
    ListToolsRequest, cache_hint::Scope,
};
use serde_json::json;

use crate::harness::{Feature, alice, json as parse};

async fn page(feature: &Feature, cursor: Option<String>) -> ListResourcesResponse {
    let request = ListResourcesRequest {
        context: Some(alice()),
        cursor,
    };
    feature
        .client
        .clone()
        .list_resources(request)
        .await
        .unwrap()
        .into_inner()
}

fn public() -> Option<CacheHint> {
    Some(CacheHint {
        ttl_ms: 300_000,
        scope: Scope::Public.into(),
    })
}

/// What a caller can change.
fn own() -> Option<CacheHint> {
    Some(CacheHint {
        ttl_ms: 5_000,
        scope: Scope::Private.into(),
    })
}

#[tokio::test]
async fn tools_are_listed_in_a_fixed_order_with_everything_about_them() {
    let feature = Feature::start().await;
    let response = feature
        .client
        .clone()
        .list_tools(ListToolsRequest::default())
        .await
        .unwrap()
        .into_inner();
    let names: Vec<_> = response.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "echo",
            "add",
            "longRunningOperation",
            "sampleLLM",
            "getTinyImage",
            "annotatedMessage",
            "getResourceReference",
            "elicitInputs",
            "elicitUrl",
            "elicitInSteps",
            "getStructuredContent",
            "getResourceLinks",
            "getRoots",
            "gzipAsResource",
            "mcpAppsHelloWorld",
            "mirrorHeaders",
            "simulateResearchQuery",
            "switchExtraTool",
            "switchExtraPrompt",
        ]
    );
    assert_eq!((response.next_cursor, response.cache), (None, own()));
    for tool in &response.tools {
        assert!(
            !tool.title.is_empty() && !tool.description.is_empty(),
            "{}",
            tool.name
        );
        assert!(
            tool.icons[0].src.starts_with("data:image/svg+xml;base64,"),
            "{}",
            tool.name
        );
        let hints = tool.annotations.unwrap();
        assert_eq!(
            hints.read_only,
            Some(!["gzipAsResource", "switchExtraTool", "switchExtraPrompt"].contains(&tool.name.as_str())),
            "{}",
            tool.name
        );
        assert_eq!(hints.destructive, Some(false), "{}", tool.name);
        let asks = [
            "sampleLLM",
            "elicitInputs",
            "elicitInSteps",
            "elicitUrl",
            "getRoots",
            "simulateResearchQuery",
        ]
        .contains(&tool.name.as_str());
        assert_eq!(hints.open_world, Some(asks), "{}", tool.name);
        assert_eq!(
            hints.idempotent,
            Some(!asks && tool.name != "gzipAsResource"),
            "{}",
            tool.name
        );
    }
    let app = response
        .tools
        .iter()
        .find(|tool| tool.name == "mcpAppsHelloWorld");
    let app = app.unwrap();
    assert_eq!(
        parse(&app.meta_json),
        json!({ "ui": { "resourceUri": "ui://everything/hello-world", "visibility": ["model", "app"] } })
    );
}

#[tokio::test]
async fn resources_come_ten_a_page() {
    let feature = Feature::start().await;
    let (mut uris, mut cursor, mut sizes) = (Vec::new(), None, Vec::new());
    loop {
        let response = page(&feature, cursor).await;
        assert_eq!(response.error, None);
        assert_eq!(response.cache, own());
        sizes.push(response.resources.len());
        uris.extend(response.resources.into_iter().map(|resource| resource.uri));
        cursor = response.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let mut expected: Vec<_> = (1..=100)
        .map(|id| format!("test://static/resource/{id}"))
        .collect();
    expected.push("ui://everything/hello-world".to_owned());
    assert_eq!(uris, expected);
    assert_eq!(sizes, [10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 1]);
}

#[tokio::test]
async fn a_listed_resource_says_what_it_is() {
    let feature = Feature::start().await;
    let response = page(&feature, None).await;
    let (odd, even) = (&response.resources[0], &response.resources[1]);
    assert_eq!(
        (odd.name.as_str(), odd.title.as_str()),
        ("Resource 1", "Resource 1")
    );
    assert_eq!((odd.mime_type.as_str(), odd.size), ("text/plain", Some(40)));
    assert_eq!(
        (even.mime_type.as_str(), even.size),
        ("application/octet-stream", Some(33))
    );
}

#[tokio::test]
async fn a_cursor_that_is_not_ours_is_refused_by_every_list() {
    let feature = Feature::start().await;
    let mut client = feature.client.clone();
    for bad in ["", "x", "MTA=", "cmVzb3VyY2VzOjU"] {
        let cursor = Some(bad.to_owned());
        let context = Some(alice());
        let errors = [
            page(&feature, cursor.clone()).await.error,
            client
                .list_tools(ListToolsRequest {
                    context: context.clone(),
                    cursor: cursor.clone(),
                })
                .await
                .unwrap()
                .into_inner()
                .error,
            client
                .list_resource_templates(ListResourceTemplatesRequest {
                    context: context.clone(),
                    cursor: cursor.clone(),
                })
                .await
                .unwrap()
                .into_inner()
                .error,
            client
                .list_prompts(ListPromptsRequest { context, cursor })
                .await
                .unwrap()
                .into_inner()
                .error,
        ];
        for error in errors {
            let error = error.expect("an error");
            assert_eq!(
                (error.code, error.message.as_str()),
                (-32602, "invalid cursor"),
                "{bad:?}"
            );
        }
    }
}

#[tokio::test]
async fn templates_and_prompts_are_listed() {
    let feature = Feature::start().await;
    let mut client = feature.client.clone();
    let templates = client
        .list_resource_templates(ListResourceTemplatesRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(templates.resource_templates.len(), 1);
    assert_eq!(
        templates.resource_templates[0].uri_template,
        "test://static/resource/{id}"
    );
    assert_eq!(templates.cache, public());

    let prompts = client
        .list_prompts(ListPromptsRequest::default())
        .await
        .unwrap()
        .into_inner();
    let listed: Vec<_> = prompts
        .prompts
        .iter()
        .map(|prompt| {
            assert!(!prompt.title.is_empty() && !prompt.description.is_empty());
            let arguments: Vec<_> = prompt
                .arguments
                .iter()
                .map(|argument| (argument.name.as_str(), argument.required))
                .collect();
            (prompt.name.as_str(), arguments)
        })
        .collect();
    assert_eq!(
        listed,
        [
            ("simple_prompt", vec![]),
            ("complex_prompt", vec![("temperature", true), ("style", false)]),
            ("resource_prompt", vec![("resourceId", true)]),
            ("completable_prompt", vec![("department", true), ("name", true)]),
        ]
    );
    assert_eq!(prompts.cache, own());
}
