//! Features from a program in another language, behind the same edge.

use std::process::Stdio;

use rmcp::model::{CallToolRequestParams, PaginatedRequestParams, ReadResourceRequestParams, object};
use serde_json::{Value, json};
use system_tests::{
    Browser, Stack,
    rmcp_client::{DEADLINE, Login},
    tools,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::visit::{ShowLogs, Visit, error, in_time, json, text};

/// `tests/clients/python/feature_service`, which ends with this.
struct PythonFeatures {
    _process: Child,
    url: String,
}

impl PythonFeatures {
    async fn start() -> Self {
        let mut process = Command::new(tools::python().unwrap())
            .args(["-m", "feature_service"])
            .current_dir(tools::root().join("tests/clients/python"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = in_time(lines.next_line()).await.unwrap().unwrap();
        Self {
            url: line.strip_prefix("listening on ").unwrap().to_owned(),
            _process: process,
        }
    }
}

/// Everything with these features instead of its own, and a client that logged in.
struct Swapped {
    visit: Visit,
    stack: Stack,
    _features: PythonFeatures,
}

impl Swapped {
    async fn start() -> Self {
        let features = PythonFeatures::start().await;
        let stack = Stack::builder()
            .all_in_one()
            .setting("FEATURE_URL", &features.url)
            .start()
            .await
            .unwrap();
        let mut browser = Browser::of("ada").unwrap();
        let login = Login::new(&stack.url("/mcp"), &mut browser).await.unwrap();
        Self {
            visit: Visit::begin(&login).await,
            stack,
            _features: features,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feature_service_in_python_takes_the_place_of_the_embedded_one() {
    let swapped = Swapped::start().await;
    let _logs = ShowLogs(&swapped.stack);
    let visit = &swapped.visit;
    says_who_it_is(visit).await;
    reports_progress(visit).await;
    asks_the_clients_model(visit).await;
    names_mistakes(visit).await;
    serves_a_resource(visit).await;
    let endless = json!({ "from": 100, "pause": 0.06 });
    let short = json!({ "from": 1, "pause": 0.5 });
    crate::tools::stop_when_cancelled(visit, "countdown", endless, short).await;
}

/// Longer than the deadline of other RPCs, and than a gRPC library of another make would put up with nothing but pings.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_in_python_may_say_nothing_for_a_while() {
    let swapped = Swapped::start().await;
    let _logs = ShowLogs(&swapped.stack);
    let params =
        CallToolRequestParams::new("countdown").with_arguments(object(json!({ "from": 1, "pause": 21 })));
    let result = timeout(3 * DEADLINE, swapped.visit.client.call_tool(params)).await;
    assert_eq!(json(&result.unwrap().unwrap()), said("Lift-off!"));
}

async fn says_who_it_is(visit: &Visit) {
    let server = visit.client.peer_info().unwrap();
    assert_eq!(
        json(&server.server_info),
        json!({ "name": "python-features", "version": "1.0.0" })
    );
    assert_eq!(
        json(&server.capabilities),
        json!({ "tools": {}, "resources": {} })
    );
    let listed = json(&in_time(visit.client.list_all_tools()).await.unwrap());
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(
        listed[1],
        json!({
            "name": "haiku",
            "description": "Has the client's model write a haiku.",
            "inputSchema": {
                "type": "object",
                "properties": { "topic": { "type": "string", "minLength": 1 } },
                "required": ["topic"],
            },
        })
    );
}

async fn reports_progress(visit: &Visit) {
    visit.person.forget();
    let result = visit.call("countdown", json!({ "from": 3, "pause": 0.05 })).await;
    assert_eq!(result, said("Lift-off!"));
    let progress = visit.person.until("notifications/progress", 3).await;
    let messages: Vec<_> = progress.iter().map(|params| &params["message"]).collect();
    assert_eq!(messages, ["2 left", "1 left", "0 left"]);
    assert_eq!(
        (&progress[0]["progress"], &progress[0]["total"]),
        (&json!(1.0), &json!(3.0))
    );
}

async fn asks_the_clients_model(visit: &Visit) {
    visit.person.forget();
    visit.person.will_sample("Old pond,\na frog jumps in.\nSplash.");
    let result = visit.call("haiku", json!({ "topic": "frogs" })).await;
    assert_eq!(result, said("Old pond,\na frog jumps in.\nSplash."));
    let asked = visit.person.received("sampling/createMessage");
    assert_eq!(asked.len(), 1);
    assert_eq!(
        asked[0],
        json!({
            "messages": [{
                "role": "user",
                "content": { "type": "text", "text": "Write a haiku about frogs." },
            }],
            "maxTokens": 100,
        })
    );
}

async fn names_mistakes(visit: &Visit) {
    let result = visit.call("countdown", json!({ "from": "ten" })).await;
    assert_eq!(result["isError"], true);
    assert_eq!(
        text(&result, 0),
        "Invalid arguments for tool countdown: $.from: 'ten' is not of type 'integer'"
    );
    let unknown = error(visit.try_call("echo", json!({})).await);
    assert_eq!(
        (unknown.code.0, &*unknown.message),
        (-32602, "unknown tool: echo")
    );
    // What it does not declare, nobody asks it for.
    let missing = error(in_time(visit.client.list_prompts(None)).await);
    assert_eq!(missing.code.0, -32601, "{missing:?}");
}

async fn serves_a_resource(visit: &Visit) {
    let page = in_time(
        visit
            .client
            .list_resources(Some(PaginatedRequestParams::default())),
    )
    .await;
    let uri = "example://about";
    assert_eq!(
        json(&page.unwrap().resources),
        json!([{ "uri": uri, "name": "about", "mimeType": "text/plain", "size": 49 }])
    );
    let read = in_time(visit.client.read_resource(ReadResourceRequestParams::new(uri))).await;
    assert_eq!(
        json(&read.unwrap().contents),
        json!([{
            "uri": uri,
            "mimeType": "text/plain",
            "text": "These features are served by a program in Python.",
        }])
    );
    let other = "example://other";
    let missing = error(in_time(visit.client.read_resource(ReadResourceRequestParams::new(other))).await);
    assert_eq!(
        (missing.code.0, missing.data),
        (-32002, Some(json!({ "uri": other })))
    );
}

fn said(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}
