//! Every result, of every revision, held against that revision's schema.

use bytes::Bytes;
use everything_edge::{
    jsonrpc::{self, RequestId},
    revisions::Revision,
};
use everything_proto::feature::v1::{DescribeResponse, ListToolsResponse};
use serde_json::{Value, json};

use crate::{
    generate::{self, Seed, bytes},
    schema::{self, Schema},
};

pub const SEEDS: u64 = 60;

pub fn value(json: &Bytes) -> Value {
    serde_json::from_slice(json)
        .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(json)))
}

/// Checks a result by itself and in its message.
#[track_caller]
pub fn check_result<R: Revision + ?Sized>(schema: &Schema<R>, definition: &str, result: &Bytes) {
    schema.check(definition, &value(result));
    schema.check_valid(
        "JSONRPCMessage",
        &value(&jsonrpc::result(&RequestId::Number(1), result)),
    );
}

/// The net has no holes: what only later revisions have is caught in every place it could hide.
#[test]
fn the_schemas_catch_what_is_of_a_later_revision() {
    let caught = |version: &str, definition: &str, value: Value| {
        std::panic::catch_unwind(|| schema::of(version).check(definition, &value)).is_err()
    };
    let text = json!({ "type": "text", "text": "t" });
    let tool = json!({ "name": "t", "inputSchema": { "type": "object" } });
    assert!(!caught(
        "2024-11-05",
        "CallToolResult",
        json!({ "content": [text] })
    ));
    assert!(!caught(
        "2024-11-05",
        "ListToolsResult",
        json!({ "tools": [tool] })
    ));
    let with = |value: &Value, name: &str, member: Value| {
        let mut value = value.clone();
        value[name] = member;
        value
    };
    let annotated = with(&text, "annotations", json!({ "lastModified": "2026" }));
    for (version, definition, value) in [
        (
            "2024-11-05",
            "CallToolResult",
            json!({ "content": [{ "type": "audio", "data": "", "mimeType": "a/b" }] }),
        ),
        (
            "2025-03-26",
            "CallToolResult",
            json!({ "content": [], "structuredContent": {} }),
        ),
        (
            "2025-03-26",
            "CallToolResult",
            json!({ "content": [with(&text, "_meta", json!({}))] }),
        ),
        ("2025-03-26", "CallToolResult", json!({ "content": [annotated] })),
        (
            "2025-11-25",
            "CallToolResult",
            json!({ "content": [], "resultType": "complete" }),
        ),
        (
            "2025-11-25",
            "CallToolResult",
            json!({ "content": [], "structuredContent": 7 }),
        ),
        (
            "2024-11-05",
            "ListToolsResult",
            json!({ "tools": [with(&tool, "annotations", json!({}))] }),
        ),
        (
            "2025-03-26",
            "ListToolsResult",
            json!({ "tools": [with(&tool, "title", json!("t"))] }),
        ),
        (
            "2025-06-18",
            "ListToolsResult",
            json!({ "tools": [with(&tool, "icons", json!([]))] }),
        ),
        (
            "2025-11-25",
            "ListToolsResult",
            json!({ "tools": [], "ttlMs": 1 }),
        ),
    ] {
        assert!(caught(version, definition, value.clone()), "{version} {value}");
    }
}

#[test]
fn lists_and_handshake_are_of_their_revision() {
    for schema in schema::all() {
        let revision = schema.revision;
        for seed in 0..SEEDS {
            let seed = &mut Seed::new(seed);
            check_result(
                &schema,
                "InitializeResult",
                &revision.initialize_result(&generate::describe(seed), seed.flip()),
            );
            check_result(
                &schema,
                "ListToolsResult",
                &revision.tools(&generate::tools(seed)),
            );
            check_result(
                &schema,
                "ListResourcesResult",
                &revision.resources(&generate::resources(seed)),
            );
            let templates = revision.resource_templates(&generate::resource_templates(seed));
            check_result(&schema, "ListResourceTemplatesResult", &templates);
            check_result(
                &schema,
                "ListPromptsResult",
                &revision.prompts(&generate::prompts(seed)),
            );
            let completion = revision.completion(&generate::completion(seed));
            check_result(&schema, "CompleteResult", &completion);
            assert!(
                value(&completion)["completion"]["values"]
                    .as_array()
                    .unwrap()
                    .len()
                    <= 100
            );
        }
        check_result(&schema, "EmptyResult", &revision.empty_result());
        let silent = revision.initialize_result(&DescribeResponse::default(), true);
        check_result(&schema, "InitializeResult", &silent);
        assert_eq!(value(&silent)["protocolVersion"], revision.version());
        assert_eq!(revision.tools(&ListToolsResponse::default()), r#"{"tools":[]}"#);
    }
}

#[test]
fn results_of_calls_are_of_their_revision() {
    for schema in schema::all() {
        let revision = schema.revision;
        for seed in 0..SEEDS {
            let seed = &mut Seed::new(seed);
            let given = generate::tool_result(seed);
            let result = revision.call_tool_result(bytes(&given)).unwrap();
            check_result(&schema, "CallToolResult", &result);
            assert_nothing_lost(&given, &value(&result));
            let result = revision
                .get_prompt_result(bytes(&generate::prompt_result(seed)))
                .unwrap();
            check_result(&schema, "GetPromptResult", &result);
            let result = revision
                .read_resource_result(bytes(&generate::resource_result(seed)))
                .unwrap();
            check_result(&schema, "ReadResourceResult", &result);
        }
    }
}

/// Every block is still there in some form, and what was structured is there as such or in words.
fn assert_nothing_lost(given: &Value, result: &Value) {
    let (before, after) = (
        given["content"].as_array().unwrap(),
        result["content"].as_array().unwrap(),
    );
    assert!(after.len() >= before.len());
    assert_eq!(given.get("isError"), result.get("isError"));
    if let Some(structured) = given.get("structuredContent") {
        let in_words = after.iter().any(|block| block["type"] == "text");
        assert!(result.get("structuredContent") == Some(structured) || in_words);
    }
}

#[test]
fn the_newest_session_revision_passes_results_on_untouched() {
    let revision = schema::of("2025-11-25").revision;
    let tool = Bytes::from_static(
        b"{ \"content\" : [ {\"type\":\"text\",\"text\":\"1\"} ], \"structuredContent\":{\"n\":1.0} }",
    );
    assert_eq!(
        revision.call_tool_result(tool.clone()).unwrap().as_ptr(),
        tool.as_ptr()
    );
    let read = Bytes::from_static(br#"{"contents":[]}"#);
    assert_eq!(
        revision.read_resource_result(read.clone()).unwrap().as_ptr(),
        read.as_ptr()
    );
    let prompt = Bytes::from_static(br#"{"messages":[]}"#);
    assert_eq!(
        revision.get_prompt_result(prompt.clone()).unwrap().as_ptr(),
        prompt.as_ptr()
    );
}

#[test]
fn a_malformed_result_of_a_feature_is_an_error_that_tells_nothing() {
    for schema in schema::all() {
        let revision = schema.revision;
        for result in [
            "",
            "7",
            "{",
            "{}",
            "[]",
            r#"{"content":7}"#,
            r#"{"content":[]} x"#,
            "\u{0}",
        ] {
            let given = Bytes::from_static(result.as_bytes());
            for error in [
                revision.call_tool_result(given.clone()).unwrap_err(),
                revision.read_resource_result(given.clone()).unwrap_err(),
                revision.get_prompt_result(given.clone()).unwrap_err(),
            ] {
                assert_eq!(
                    (error.code, error.message.as_str()),
                    (-32603, "the server's answer was malformed")
                );
            }
        }
    }
}
