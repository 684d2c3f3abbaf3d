use everything_proto::feature::v1::{
    CompleteRequest, DescribeRequest, ListPromptsRequest, ListResourceTemplatesRequest, ListResourcesRequest,
    ListToolsRequest, cache_hint::Scope, complete_request::Reference,
};

use super::*;

#[tokio::test]
async fn every_tool_is_listed_with_a_description_and_an_object_schema() {
    let client = Client::new();
    let listed = client
        .handlers
        .list_tools(Request::new(ListToolsRequest::default()))
        .await
        .unwrap()
        .into_inner();
    let names: Vec<_> = listed.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "test_simple_text",
            "test_image_content",
            "test_audio_content",
            "test_embedded_resource",
            "test_multiple_content_types",
            "test_error_handling",
            "test_tool_with_logging",
            "test_tool_with_progress",
            "test_logging_tool",
            "test_reconnection",
            "json_schema_2020_12_tool",
            "greet",
            "test_custom_header",
            "test_trigger_tool_change",
            "test_trigger_prompt_change",
            "test_sampling",
            "test_missing_capability",
            "test_elicitation",
            "test_elicitation_sep1034_defaults",
            "test_elicitation_sep1330_enums",
            "test_streaming_elicitation",
            "test_input_required_result_elicitation",
            "test_input_required_result_sampling",
            "test_input_required_result_list_roots",
            "test_input_required_result_request_state",
            "test_input_required_result_multiple_inputs",
            "test_input_required_result_multi_round",
            "test_input_required_result_tampered_state",
            "test_input_required_result_capabilities",
            "slow_compute",
            "failing_job",
            "protocol_error_job",
            "confirm_delete",
            "hold",
            "multi_input",
            "test_tool_with_task",
            "numbered_events",
            "numbered_events_once",
            "numbered_question",
            "numbered_question_once",
        ]
    );
    for tool in &listed.tools {
        assert!(!tool.description.is_empty(), "{}", tool.name);
        assert_eq!(parsed(&tool.input_schema_json)["type"], "object", "{}", tool.name);
    }
    // The suite's header checks call the first tool with empty arguments.
    assert_eq!(parsed(&listed.tools[0].input_schema_json).get("required"), None);
    assert_eq!(listed.next_cursor, None);
    assert_eq!(listed.cache.unwrap().scope(), Scope::Public);
}

#[tokio::test]
async fn the_2020_12_schema_is_listed_word_for_word() {
    let client = Client::new();
    let listed = client
        .handlers
        .list_tools(Request::new(ListToolsRequest::default()))
        .await
        .unwrap()
        .into_inner();
    let tool = listed
        .tools
        .iter()
        .find(|tool| tool.name == "json_schema_2020_12_tool")
        .unwrap();
    let documented: Value = serde_json::from_str(
        r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",
        "$defs":{"address":{"$anchor":"addressDef","type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"}}}},
        "properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"},"contactMethod":{"type":"string","enum":["phone","email"]},"phone":{"type":"string"},"email":{"type":"string"}},
        "allOf":[{"anyOf":[{"required":["phone"]},{"required":["email"]}]}],
        "if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},"then":{"required":["phone"]},"else":{"required":["email"]},
        "additionalProperties":false}"##,
    )
    .unwrap();
    assert_eq!(parsed(&tool.input_schema_json), documented);
}

#[tokio::test]
async fn one_tool_has_a_string_argument_for_a_header() {
    let client = Client::new();
    let listed = client
        .handlers
        .list_tools(Request::new(ListToolsRequest::default()))
        .await
        .unwrap()
        .into_inner();
    let tool = listed
        .tools
        .iter()
        .find(|tool| tool.name == "test_custom_header")
        .unwrap();
    let value = &parsed(&tool.input_schema_json)["properties"]["value"];
    assert_eq!(
        (&value["type"], &value["x-mcp-header"]),
        (&json!("string"), &json!("Test-Value"))
    );
}

#[tokio::test]
async fn resources_the_template_and_prompts_are_listed() {
    let client = Client::new();
    let handlers = &client.handlers;
    let resources = handlers
        .list_resources(Request::new(ListResourcesRequest::default()))
        .await
        .unwrap();
    let resources = resources.into_inner().resources;
    let uris: Vec<_> = resources
        .iter()
        .map(|resource| (resource.uri.as_str(), resource.mime_type.as_str()))
        .collect();
    let expected = [
        ("test://static-text", "text/plain"),
        ("test://static-binary", "image/png"),
        ("test://watched-resource", "text/plain"),
    ];
    assert_eq!(uris, expected);
    assert!(
        resources
            .iter()
            .all(|resource| !resource.name.is_empty() && !resource.description.is_empty())
    );

    let request = Request::new(ListResourceTemplatesRequest::default());
    let templates = handlers
        .list_resource_templates(request)
        .await
        .unwrap()
        .into_inner()
        .resource_templates;
    let templates: Vec<_> = templates
        .iter()
        .map(|template| template.uri_template.as_str())
        .collect();
    assert_eq!(templates, ["test://template/{id}/data"]);

    let prompts = handlers
        .list_prompts(Request::new(ListPromptsRequest::default()))
        .await
        .unwrap();
    let prompts: Vec<_> = prompts
        .into_inner()
        .prompts
        .into_iter()
        .map(|prompt| {
            assert!(
                !prompt.description.is_empty() && prompt.arguments.iter().all(|argument| argument.required)
            );
            (
                prompt.name,
                prompt
                    .arguments
                    .into_iter()
                    .map(|argument| argument.name)
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    let expected = [
        ("test_simple_prompt", vec![]),
        ("test_prompt_with_arguments", vec!["arg1", "arg2"]),
        ("test_prompt_with_embedded_resource", vec!["resourceUri"]),
        ("test_prompt_with_image", vec![]),
        ("test_input_required_result_prompt", vec![]),
    ];
    let expected = expected.map(|(name, arguments)| {
        (
            name.to_owned(),
            arguments.into_iter().map(str::to_owned).collect::<Vec<_>>(),
        )
    });
    assert_eq!(prompts, expected);
}

#[tokio::test]
async fn no_list_has_a_second_page() {
    let client = Client::new();
    let request = ListToolsRequest {
        cursor: Some("2".to_owned()),
        ..Default::default()
    };
    let answer = client
        .handlers
        .list_tools(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.error.unwrap().code, -32602);
    let request = ListPromptsRequest {
        cursor: Some(String::new()),
        ..Default::default()
    };
    let answer = client
        .handlers
        .list_prompts(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.error.unwrap().code, -32602);
}

#[tokio::test]
async fn capabilities_are_those_that_the_scenarios_need() {
    let client = Client::new();
    let described = client
        .handlers
        .describe(Request::new(DescribeRequest {}))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(described.name, "everything-conformance");
    let capabilities = described.capabilities.unwrap();
    assert!(capabilities.tools && capabilities.tools_list_changed);
    assert!(capabilities.resources && capabilities.resources_subscribe);
    assert!(capabilities.prompts && capabilities.prompts_list_changed);
    assert!(capabilities.logging && capabilities.completions);
}

#[tokio::test]
async fn completions_begin_with_what_was_typed() {
    let client = Client::new();
    let complete = async |prompt: &str, argument: &str, value: &str| {
        let request = CompleteRequest {
            reference: Some(Reference::Prompt(prompt.to_owned())),
            argument: argument.to_owned(),
            value: value.to_owned(),
            ..CompleteRequest::default()
        };
        client
            .handlers
            .complete(Request::new(request))
            .await
            .unwrap()
            .into_inner()
    };
    let completed = complete("test_prompt_with_arguments", "arg1", "par").await;
    assert_eq!(completed.values, ["paris", "park", "party"]);
    assert_eq!((completed.total, completed.has_more), (Some(3), false));
    assert_eq!(
        complete("no_such_prompt", "arg1", "").await.error.unwrap().code,
        -32602
    );
    assert_eq!(
        complete("test_prompt_with_arguments", "arg3", "")
            .await
            .error
            .unwrap()
            .code,
        -32602
    );
}
