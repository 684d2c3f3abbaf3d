use std::io::Read;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientRequest, PaginatedRequestParams, ReadResourceRequestParams,
    object,
};
use rmcp::service::PeerRequestOptions;
use serde_json::{Value, json};

use crate::visit::{Visit, error, in_time, json, text};

const HELLO_WORLD: &str = "ui://everything/hello-world";

pub async fn are_listed_truthfully(visit: &Visit) {
    let page = in_time(visit.client.list_tools(None)).await.unwrap();
    assert_eq!(page.next_cursor, None);
    let tools = json(&page.tools);
    let names: Vec<_> = tools
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
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
    for tool in tools.as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        let asks = [
            "sampleLLM",
            "elicitInputs",
            "elicitInSteps",
            "elicitUrl",
            "getRoots",
            "simulateResearchQuery",
        ]
        .contains(&name);
        let adds = name == "gzipAsResource";
        let sets = name.starts_with("switch");
        assert_eq!(
            tool["annotations"],
            json!({
                "readOnlyHint": !adds && !sets,
                "destructiveHint": false,
                "idempotentHint": !asks && !adds,
                "openWorldHint": asks,
            }),
            "{name}"
        );
        assert!(
            tool["title"].is_string() && tool["description"].is_string(),
            "{name}"
        );
        assert_eq!(tool["icons"][0]["mimeType"], "image/svg+xml", "{name}");
        jsonschema::draft202012::new(&tool["inputSchema"]).unwrap();
    }
    let echo = &tools[0]["inputSchema"];
    assert_eq!(echo["properties"]["message"]["type"], "string");
    assert_eq!(echo["required"], json!(["message"]));
    let app = tools
        .as_array()
        .unwrap()
        .iter()
        .find(|tool| tool["name"] == "mcpAppsHelloWorld");
    let app = app.unwrap();
    assert_eq!(app["_meta"]["ui"]["resourceUri"], HELLO_WORLD);

    let bad = PaginatedRequestParams::default().with_cursor(Some("x".to_owned()));
    let error = error(in_time(visit.client.list_tools(Some(bad))).await);
    assert_eq!((error.code.0, &*error.message), (-32602, "invalid cursor"));
}

pub async fn plain_ones_answer(visit: &Visit) {
    let result = visit.call("echo", json!({ "message": "ünï \"quoted\"" })).await;
    assert_eq!(result, only("Echo: ünï \"quoted\""));
    let result = visit.call("add", json!({ "a": 2, "b": 3.5 })).await;
    assert_eq!(result, only("The sum of 2 and 3.5 is 5.5."));

    let arguments = json!({ "region": "eu", "target": { "tenant": "ada" }, "note": "n" });
    let mirrored = "Region: eu\nPriority: 5\nDry run: false\nTenant: ada\nNote: n";
    assert_eq!(visit.call("mirrorHeaders", arguments).await, only(mirrored));

    let result = visit.call("getTinyImage", json!({})).await;
    assert_eq!(text(&result, 0), "This is a tiny image:");
    assert_eq!(text(&result, 2), "The image above is the MCP tiny image.");
    is_png(&result["content"][1]);

    for (kind, message, priority, audience) in [
        (
            "error",
            "Error: Operation failed",
            1.0,
            json!(["user", "assistant"]),
        ),
        (
            "success",
            "Operation completed successfully",
            0.7,
            json!(["user"]),
        ),
        (
            "debug",
            "Debug: Cache hit ratio 0.95, latency 150ms",
            0.3,
            json!(["assistant"]),
        ),
    ] {
        let arguments = json!({ "messageType": kind, "includeImage": kind == "success" });
        let result = visit.call("annotatedMessage", arguments).await;
        let block = &result["content"][0];
        assert_eq!(block["text"], message);
        assert_eq!(block["annotations"]["audience"], audience);
        // The SDK keeps it in 32 bits.
        assert!((block["annotations"]["priority"].as_f64().unwrap() - priority).abs() < 1e-6);
        match kind {
            "success" => is_png(&result["content"][1]),
            _ => assert_eq!(result["content"].as_array().unwrap().len(), 1),
        }
    }
}

pub async fn structured_content_follows_its_schema(visit: &Visit) {
    let tools = json(&in_time(visit.client.list_all_tools()).await.unwrap());
    let schema = |name: &str| {
        let tool = tools.as_array().unwrap().iter().find(|tool| tool["name"] == name);
        jsonschema::draft202012::new(&tool.unwrap()["outputSchema"]).unwrap()
    };
    let weather = visit
        .call("getStructuredContent", json!({ "location": "New York" }))
        .await;
    let structured = &weather["structuredContent"];
    assert!(
        schema("getStructuredContent").is_valid(structured),
        "{structured}"
    );
    let fallback: Value = serde_json::from_str(text(&weather, 0)).unwrap();
    assert_eq!(&fallback, structured);
    let again = json!({ "location": " new york " });
    assert_eq!(visit.call("getStructuredContent", again).await, weather);
    let elsewhere = json!({ "location": "Paris" });
    assert_ne!(visit.call("getStructuredContent", elsewhere).await, weather);

    let greeting = visit.call("mcpAppsHelloWorld", json!({ "name": "Ada" })).await;
    assert_eq!(
        greeting,
        json!({
            "content": [{ "type": "text", "text": "Hello, Ada!" }],
            "structuredContent": { "greeting": "Hello, Ada!", "name": "Ada" },
        })
    );
    assert!(schema("mcpAppsHelloWorld").is_valid(&greeting["structuredContent"]));
    let app = read(visit, HELLO_WORLD).await;
    assert_eq!(app["mimeType"], "text/html;profile=mcp-app");
    assert!(app["text"].as_str().unwrap().contains("<script"));
}

pub async fn link_and_embed_resources(visit: &Visit) {
    let result = visit
        .call("getResourceReference", json!({ "resourceId": 7 }))
        .await;
    assert_eq!(
        result,
        json!({ "content": [
            { "type": "text", "text": "Returning resource reference for Resource 7:" },
            { "type": "resource", "resource": {
                "uri": "test://static/resource/7",
                "mimeType": "text/plain",
                "text": "Resource 7: This is a plaintext resource",
            } },
            { "type": "text", "text": "You can access this resource using the URI: test://static/resource/7" },
        ] })
    );
    let result = visit
        .call("getResourceReference", json!({ "resourceId": 8 }))
        .await;
    assert_eq!(
        result["content"][1]["resource"],
        json!({
            "uri": "test://static/resource/8",
            "mimeType": "application/octet-stream",
            "blob": STANDARD.encode("Resource 8: This is a base64 blob"),
        })
    );

    let result = visit.call("getResourceLinks", json!({ "count": 4 })).await;
    assert_eq!(
        text(&result, 0),
        "Here are 4 resource links to resources available in this server:"
    );
    let links = &result["content"].as_array().unwrap()[1..];
    assert_eq!(links.len(), 4);
    for (index, link) in links.iter().enumerate() {
        let uri = format!("test://static/resource/{}", index + 1);
        assert_eq!(
            (&link["type"], &link["uri"]),
            (&json!("resource_link"), &json!(uri))
        );
        assert_eq!(read(visit, &uri).await["mimeType"], link["mimeType"]);
    }
}

pub async fn gzip_keeps_a_resource_and_says_so(visit: &Visit) {
    visit.person.forget();
    let data = json!(["roses ", "data:text/plain;base64,YXJlIHJlZA=="]);
    let arguments = json!({ "name": "poem.txt.gz", "data": data });
    let result = visit.call("gzipAsResource", arguments).await;
    let link = &result["content"][0];
    assert_eq!(
        (&link["type"], &link["name"], &link["mimeType"]),
        (
            &json!("resource_link"),
            &json!("poem.txt.gz"),
            &json!("application/gzip")
        )
    );
    visit
        .person
        .until("notifications/resources/list_changed", 1)
        .await;

    let uri = link["uri"].as_str().unwrap();
    assert!(uri.starts_with("test://session/resource/"), "{uri}");
    let listed = in_time(visit.client.list_all_resources()).await.unwrap();
    assert_eq!(listed.len(), 102);
    let kept = json(listed.last().unwrap());
    assert_eq!((&kept["uri"], &kept["size"]), (&json!(uri), &link["size"]));
    assert_eq!(unzip(&read(visit, uri).await), "roses are red");

    let arguments = json!({ "data": "violets", "outputType": "resource" });
    let result = visit.call("gzipAsResource", arguments).await;
    let embedded = &result["content"][0]["resource"];
    assert_eq!(unzip(embedded), "violets");
    assert_eq!(
        unzip(&read(visit, embedded["uri"].as_str().unwrap()).await),
        "violets"
    );
}

pub async fn report_progress(visit: &Visit) {
    visit.person.forget();
    let arguments = json!({ "duration": 0.4, "steps": 4 });
    let result = visit.call("longRunningOperation", arguments).await;
    assert_eq!(
        result,
        only("Long running operation completed. Duration: 0.4 seconds, Steps: 4.")
    );
    // The SDK hands a notification and the result that follows it to different tasks.
    let progress = visit.person.until("notifications/progress", 4).await;
    let token = &progress[0]["progressToken"];
    let expected: Vec<_> = (1..=4)
        .map(|step| {
            json!({
                "progressToken": token,
                "progress": f64::from(step),
                "total": 4.0,
                "message": format!("Step {step} of 4"),
            })
        })
        .collect();
    assert_eq!(progress, expected);
}

pub async fn can_be_cancelled(visit: &Visit) {
    let endless = json!({ "duration": 60, "steps": 1000 });
    let short = json!({ "duration": 0.5, "steps": 1 });
    stop_when_cancelled(visit, "longRunningOperation", endless, short).await;
}

/// `endless` must report progress every 60 ms, and `short` must take half a second.
pub async fn stop_when_cancelled(visit: &Visit, tool: &'static str, endless: Value, short: Value) {
    visit.person.forget();
    let params = CallToolRequestParams::new(tool).with_arguments(object(endless));
    let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
    let options = PeerRequestOptions::no_options();
    let running = in_time(visit.client.send_cancellable_request(request, options))
        .await
        .unwrap();
    let token = json(&running.progress_token);
    visit.person.until("notifications/progress", 2).await;
    in_time(running.cancel(Some("enough".to_owned()))).await.unwrap();

    // Two calls one after the other take their time; the cancelled one would have reported eight times during each.
    let heard = async || {
        visit.call(tool, short.clone()).await;
        let progress = visit.person.received("notifications/progress");
        progress
            .iter()
            .filter(|params| params["progressToken"] == token)
            .count()
    };
    let before = heard().await;
    assert_eq!(heard().await, before, "a cancelled tool goes on");
}

pub async fn name_what_is_wrong_with_their_arguments(visit: &Visit) {
    for (tool, arguments, problem) in [
        ("echo", json!({}), "message: is required"),
        (
            "echo",
            json!({ "message": 1 }),
            "message: must be a string, but is a number",
        ),
        (
            "add",
            json!({ "a": "1", "b": 2 }),
            "a: must be a number, but is a string",
        ),
        (
            "longRunningOperation",
            json!({ "steps": 0 }),
            "steps: must be at least 1",
        ),
        (
            "sampleLLM",
            json!({ "prompt": "x", "maxTokens": 0 }),
            "maxTokens: must be at least 1",
        ),
        ("getTinyImage", json!({ "x": 1 }), "x: is not a known field"),
        (
            "annotatedMessage",
            json!({ "messageType": "loud" }),
            r#"messageType: must be one of "error", "success", "debug""#,
        ),
        (
            "getResourceReference",
            json!({ "resourceId": 101 }),
            "resourceId: must be at most 100",
        ),
        (
            "elicitUrl",
            json!({ "url": "javascript:alert(1)" }),
            "url: must be an http or https URL",
        ),
        (
            "mcpAppsHelloWorld",
            json!({ "name": "" }),
            "name: must not be empty",
        ),
    ] {
        let result = visit.call(tool, arguments).await;
        let text = format!("Invalid arguments for tool {tool}:\n- {problem}");
        assert_eq!(
            result,
            json!({ "content": [{ "type": "text", "text": text }], "isError": true })
        );
    }
    let error = error(visit.try_call("no_such_tool", json!({})).await);
    assert_eq!(
        (error.code.0, &*error.message),
        (-32602, "unknown tool: no_such_tool")
    );
}

fn only(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}

fn is_png(block: &Value) {
    assert_eq!(
        (&block["type"], &block["mimeType"]),
        (&json!("image"), &json!("image/png"))
    );
    let png = STANDARD.decode(block["data"].as_str().unwrap()).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
}

async fn read(visit: &Visit, uri: &str) -> Value {
    let result = in_time(visit.client.read_resource(ReadResourceRequestParams::new(uri))).await;
    let contents = json(&result.unwrap().contents);
    assert_eq!(contents.as_array().unwrap().len(), 1);
    assert_eq!(contents[0]["uri"], uri);
    contents[0].clone()
}

fn unzip(contents: &Value) -> String {
    let blob = STANDARD.decode(contents["blob"].as_str().unwrap()).unwrap();
    let mut text = String::new();
    GzDecoder::new(&blob[..]).read_to_string(&mut text).unwrap();
    text
}
