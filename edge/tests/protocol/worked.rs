//! Worked examples of what older clients get, as exact JSON.

use std::collections::HashMap;

use bytes::Bytes;
use everything_proto::feature::v1::{
    Capabilities, ClientCapabilities, DescribeResponse, Icon, ListToolsResponse, Tool, ToolAnnotations,
};
use serde_json::{Value, json, value::to_raw_value};

use crate::{generate::bytes, schema};

fn value(json: Bytes) -> Value {
    serde_json::from_slice(&json).unwrap()
}

/// What each revision makes of a tool result, oldest first.
fn tool_results(result: Value) -> [Value; 4] {
    let results: Vec<_> = schema::all()
        .iter()
        .map(|schema| {
            value(
                schema
                    .revision
                    .call_tool_result(result.to_string().into())
                    .unwrap(),
            )
        })
        .collect();
    results.try_into().unwrap()
}

#[test]
fn structured_output_becomes_text_where_there_is_none() {
    let [first, second, third, fourth] =
        tool_results(json!({ "content": [], "structuredContent": { "t": 1 } }));
    let words = json!({ "content": [{ "type": "text", "text": "{\"t\":1}" }] });
    assert_eq!((&first, &second), (&words, &words));
    let structured = json!({ "content": [], "structuredContent": { "t": 1 } });
    assert_eq!((&third, &fourth), (&structured, &structured));

    // A text fallback of the tool's own is enough.
    let text = json!({ "type": "text", "text": "1 degree" });
    let [first, _, third, _] = tool_results(json!({ "content": [text], "structuredContent": { "t": 1 } }));
    assert_eq!(first, json!({ "content": [text] }));
    assert_eq!(
        third,
        json!({ "content": [text], "structuredContent": { "t": 1 } })
    );

    // Other than an object it is of no revision with sessions.
    for result in tool_results(json!({ "content": [], "structuredContent": 7, "isError": true })) {
        assert_eq!(
            result,
            json!({ "content": [{ "type": "text", "text": "7" }], "isError": true })
        );
    }
}

#[test]
fn content_becomes_text_where_its_kind_is_unknown() {
    let link = json!({
        "type": "resource_link", "uri": "test://2", "name": "two", "title": "Second", "description": "after the first",
        "icons": [{ "src": "https://example.org/i.png" }],
        "annotations": { "audience": ["user"], "lastModified": "2026-01-01T00:00:00Z" }, "_meta": { "a": 1 },
    });
    let audio = json!({ "type": "audio", "data": "AA==", "mimeType": "audio/wav" });
    let [first, second, third, fourth] = tool_results(json!({ "content": [link, audio] }));
    let words = json!({
        "type": "text", "text": "Resource Second: test://2 – after the first", "annotations": { "audience": ["user"] },
    });
    let silence =
        json!({ "type": "text", "text": "[audio/wav audio, which this protocol version cannot carry]" });
    assert_eq!(first, json!({ "content": [words, silence] }));
    assert_eq!(second, json!({ "content": [words, audio] }));
    let mut without_icons = link.clone();
    without_icons.as_object_mut().unwrap().remove("icons");
    assert_eq!(third, json!({ "content": [without_icons, audio] }));
    assert_eq!(fourth, json!({ "content": [link, audio] }));
}

#[test]
fn numbers_pass_through_as_they_are_written() {
    let result = Bytes::from_static(
        br#"{"content":[{"type":"text","text":"x","_meta":{"n":12345678901234567890.10}}]}"#,
    );
    let converted = schema::of("2025-06-18")
        .revision
        .call_tool_result(result.clone())
        .unwrap();
    assert_eq!(converted, result);
}

#[test]
fn a_tool_is_described_as_far_as_the_revision_goes() {
    let tool = Tool {
        name: "t".into(),
        title: "Tool".into(),
        description: "does".into(),
        icons: vec![Icon {
            src: "https://example.org/i.png".into(),
            ..Icon::default()
        }],
        input_schema_json: bytes(&json!({ "type": "object", "properties": { "a": true, "b": false } })),
        output_schema_json: bytes(&json!({ "type": "object" })),
        annotations: Some(ToolAnnotations {
            read_only: Some(true),
            ..ToolAnnotations::default()
        }),
        task_support: 2,
        meta_json: bytes(&json!({ "ui": {} })),
        ..Tool::default()
    };
    let list = ListToolsResponse {
        tools: vec![tool],
        next_cursor: Some("next".into()),
        ..ListToolsResponse::default()
    };
    let schemas = schema::all();
    let mut tools = schemas.iter().map(|schema| value(schema.revision.tools(&list)));
    let input = json!({ "type": "object", "properties": { "a": {}, "b": { "not": {} } } });
    let mut expected = json!({ "name": "t", "description": "does", "inputSchema": input });
    let mut next = |expected: &Value| {
        assert_eq!(
            tools.next().unwrap(),
            json!({ "tools": [expected], "nextCursor": "next" })
        );
    };
    next(&expected);
    expected["annotations"] = json!({ "title": "Tool", "readOnlyHint": true });
    next(&expected);
    expected["annotations"] = json!({ "readOnlyHint": true });
    expected["title"] = json!("Tool");
    expected["outputSchema"] = json!({ "type": "object" });
    expected["_meta"] = json!({ "ui": {} });
    next(&expected);
    expected["icons"] = json!([{ "src": "https://example.org/i.png" }]);
    expected["execution"] = json!({ "taskSupport": "optional" });
    next(&expected);
}

#[test]
fn the_server_presents_itself_as_far_as_the_revision_goes() {
    let server = DescribeResponse {
        name: "n".into(),
        version: "1".into(),
        title: "T".into(),
        description: "d".into(),
        website_url: "https://example.org/".into(),
        icons: Vec::new(),
        instructions: "read".into(),
        capabilities: Some(Capabilities {
            tools: true,
            tools_list_changed: true,
            resources: true,
            resources_subscribe: true,
            completions: true,
            logging: true,
            extensions_json: HashMap::from([("x/y".to_owned(), Bytes::from_static(b"{}"))]),
            ..Capabilities::default()
        }),
    };
    let schemas = schema::all();
    let mut results = schemas
        .iter()
        .map(|schema| value(schema.revision.initialize_result(&server, true)));
    let mut expected = json!({
        "protocolVersion": "2024-11-05", "serverInfo": { "name": "n", "version": "1" }, "instructions": "read",
        "capabilities": { "tools": { "listChanged": true }, "resources": { "subscribe": true }, "logging": {} },
    });
    assert_eq!(results.next().unwrap(), expected);
    expected["protocolVersion"] = json!("2025-03-26");
    expected["capabilities"]["completions"] = json!({});
    assert_eq!(results.next().unwrap(), expected);
    expected["protocolVersion"] = json!("2025-06-18");
    expected["serverInfo"]["title"] = json!("T");
    assert_eq!(results.next().unwrap(), expected);
    expected["protocolVersion"] = json!("2025-11-25");
    expected["serverInfo"]["description"] = json!("d");
    expected["serverInfo"]["websiteUrl"] = json!("https://example.org/");
    assert_eq!(results.next().unwrap(), expected);
}

#[test]
fn clients_are_believed_as_far_as_their_revision_goes() {
    let declared = |version: &str, capabilities: Value| {
        schema::of(version)
            .revision
            .client_capabilities(&to_raw_value(&capabilities).unwrap())
    };
    let all = json!({
        "roots": { "listChanged": true }, "sampling": { "tools": {}, "context": {} },
        "elicitation": { "form": {}, "url": {} }, "extensions": { "a/b": { "c": 1 }, "bad": 7 },
    });
    let extensions_json = HashMap::from([("a/b".to_owned(), Bytes::from_static(br#"{"c":1}"#))]);
    let mut expected = ClientCapabilities {
        roots: true,
        sampling: true,
        sampling_context: true,
        extensions_json,
        ..ClientCapabilities::default()
    };
    assert_eq!(declared("2024-11-05", all.clone()), expected);
    assert_eq!(declared("2025-03-26", all.clone()), expected);
    expected.elicitation_form = true;
    assert_eq!(declared("2025-06-18", all.clone()), expected);
    expected.elicitation_url = true;
    expected.sampling_tools = true;
    assert_eq!(declared("2025-11-25", all), expected);

    let newest = |capabilities| declared("2025-11-25", capabilities);
    let forms = |form, url| ClientCapabilities {
        elicitation_form: form,
        elicitation_url: url,
        ..Default::default()
    };
    assert_eq!(newest(json!({ "elicitation": {} })), forms(true, false));
    assert_eq!(
        newest(json!({ "elicitation": { "url": {} } })),
        forms(false, true)
    );
    assert_eq!(
        newest(json!({ "elicitation": { "form": {} } })),
        forms(true, false)
    );
    let sampling = ClientCapabilities {
        sampling: true,
        ..Default::default()
    };
    assert_eq!(newest(json!({ "sampling": {} })), sampling);
    for nothing in [
        json!({}),
        json!([]),
        json!(null),
        json!({ "roots": true, "sampling": null, "elicitation": [] }),
    ] {
        assert_eq!(newest(nothing), ClientCapabilities::default());
    }
}
