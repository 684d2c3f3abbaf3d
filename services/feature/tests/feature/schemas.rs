//! The schemas that clients are given.

use everything_proto::feature::v1::{ListToolsRequest, Tool};
use serde_json::{Value, json};

use crate::harness::{Feature, json as parse};

async fn tools(feature: &Feature) -> Vec<Tool> {
    feature
        .client
        .clone()
        .list_tools(ListToolsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .tools
}

async fn schema_of(feature: &Feature, name: &str) -> Value {
    let tools = tools(feature).await;
    parse(
        &tools
            .iter()
            .find(|tool| tool.name == name)
            .unwrap()
            .input_schema_json,
    )
}

#[tokio::test]
async fn every_schema_is_a_closed_object_schema_of_2020_12() {
    let feature = Feature::start().await;
    for tool in tools(&feature).await {
        let input = parse(&tool.input_schema_json);
        assert_eq!(
            input["$schema"], "https://json-schema.org/draft/2020-12/schema",
            "{}",
            tool.name
        );
        assert_eq!(input["type"], "object", "{}", tool.name);
        assert!(input["properties"].is_object(), "{}", tool.name);
        assert_eq!(input["additionalProperties"], false, "{}", tool.name);
        for (name, property) in input["properties"].as_object().unwrap() {
            assert!(property["title"].is_string(), "{} {name}", tool.name);
            assert!(property["description"].is_string(), "{} {name}", tool.name);
        }
        let mut schemas = vec![input];
        if !tool.output_schema_json.is_empty() {
            schemas.push(parse(&tool.output_schema_json));
        }
        for schema in schemas {
            let checked = jsonschema::draft202012::meta::validate(&schema);
            assert!(checked.is_ok(), "{}: {checked:?}", tool.name);
            // Not every client resolves references, and not every validator knows Rust's number formats.
            let text = schema.to_string();
            for foreign in ["$ref", "$defs", "uint", "double"] {
                assert!(!text.contains(foreign), "{}: {foreign} in {text}", tool.name);
            }
        }
    }
}

#[tokio::test]
async fn ranges_defaults_and_choices_are_in_the_schema() {
    let feature = Feature::start().await;
    assert_eq!(
        schema_of(&feature, "longRunningOperation").await["properties"],
        json!({
            "duration": {
                "type": "number",
                "title": "Duration",
                "description": "Duration of the operation in seconds.",
                "minimum": 0,
                "maximum": 300,
                "default": 10,
            },
            "steps": {
                "type": "integer",
                "title": "Steps",
                "description": "Number of steps in the operation; progress is reported after each.",
                "minimum": 1,
                "maximum": 1000,
                "default": 5,
            },
        })
    );
    let annotated = schema_of(&feature, "annotatedMessage").await;
    assert_eq!(
        annotated["properties"]["messageType"]["enum"],
        json!(["error", "success", "debug"])
    );
    assert_eq!(annotated["properties"]["includeImage"]["default"], false);
    assert_eq!(annotated["required"], json!(["messageType"]));
    let gzip = schema_of(&feature, "gzipAsResource").await;
    assert_eq!(
        gzip["properties"]["outputType"]["enum"],
        json!(["resourceLink", "resource"])
    );
    assert_eq!(gzip["properties"]["outputType"]["default"], "resourceLink");
    assert_eq!(gzip["properties"]["name"]["default"], "README.md.gz");
    let echo = schema_of(&feature, "echo").await;
    assert_eq!(echo["required"], json!(["message"]));
}

#[tokio::test]
async fn structured_content_follows_the_output_schema() {
    let feature = Feature::start().await;
    let tools = tools(&feature).await;
    let validator = |name: &str| {
        let tool = tools.iter().find(|tool| tool.name == name).unwrap();
        jsonschema::validator_for(&parse(&tool.output_schema_json)).unwrap()
    };
    let weather = validator("getStructuredContent");
    for location in ["New York", "10115", "東京", "x", "Los Angeles", "Oslo"] {
        let result = feature
            .call("getStructuredContent", json!({ "location": location }))
            .await;
        let structured = &result["structuredContent"];
        assert!(weather.is_valid(structured), "{structured}");
        assert_eq!(structured.as_object().unwrap().len(), 3);
    }
    let greeting = feature.call("mcpAppsHelloWorld", json!({})).await;
    assert!(validator("mcpAppsHelloWorld").is_valid(&greeting["structuredContent"]));
    let with_output = tools
        .iter()
        .filter(|tool| !tool.output_schema_json.is_empty())
        .count();
    assert_eq!(with_output, 2);
}
