//! Where a trace begins: with the context in `_meta`, else with that of the HTTP request, else anew.

use http::Method;
use serde_json::{Value, json};
use system_tests::{
    client::McpClient,
    otlp::{Kind, Span},
};
use telemetry::conventions::hashed;

use super::world::{Client, Era, SESSIONS, World, echo, from_outside, is_no_command, is_server, send};

const WITHIN: &str = "
    edge-0 SERVER POST /mcp
      edge-0 SERVER tools/call echo
        edge-0 CLIENT everything.feature.v1.FeatureService/CallTool
          feature-0 SERVER everything.feature.v1.FeatureService/CallTool
    ";
const APART: &str = "
    edge-0 SERVER tools/call echo ~ POST /mcp
      edge-0 CLIENT everything.feature.v1.FeatureService/CallTool
        feature-0 SERVER everything.feature.v1.FeatureService/CallTool
    ";
const HTTP: &str = "
    edge-0 SERVER POST /mcp
    ";

fn with_meta(traceparent: &str) -> Value {
    let mut params = echo();
    params["_meta"]["traceparent"] = traceparent.into();
    params
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_on_from_wherever_the_client_says() {
    let world = World::start().await;
    for era in [Era::Sessions, Era::Stateless] {
        let client = world.client(era).await;
        in_the_header(&world, &client).await;
        in_meta(&world, &client).await;
        in_both(&world, &client).await;
        in_neither(&world, &client).await;
        malformed(&world, &client).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_request_of_a_client_passes_every_service() {
    let world = World::start().await;
    let (trace_id, traceparent) = from_outside();
    let params = json!({
        "protocolVersion": SESSIONS,
        "capabilities": {},
        "clientInfo": {"name": "system tests", "version": "1"},
    });
    let client = McpClient::without_session(&world.stack.edge_url(0, "/mcp"), Some(&world.token));
    let body = json!({"jsonrpc": "2.0", "id": "first", "method": "initialize", "params": params});
    let request = client
        .prepare(Method::POST)
        .header("content-type", "application/json")
        .header("traceparent", traceparent)
        .body(body.to_string());
    let answer = send(request).await;
    let session_id = answer.headers["mcp-session-id"].to_str().unwrap();
    let spans = world
        .receiver
        .expect_tree(
            &trace_id,
            is_no_command,
            "
            edge-0 SERVER POST /mcp
              edge-0 CLIENT everything.auth.v1.AuthService/Introspect
                auth-0 SERVER everything.auth.v1.AuthService/Introspect
              edge-0 SERVER initialize
                edge-0 CLIENT everything.feature.v1.FeatureService/Describe
                  feature-0 SERVER everything.feature.v1.FeatureService/Describe
                edge-0 CLIENT everything.session.v1.SessionService/Create
                  session-0 SERVER everything.session.v1.SessionService/Create
            ",
        )
        .await;
    let initialize = spans.iter().find(|span| is_server(span, "initialize")).unwrap();
    assert_eq!(initialize.attribute("jsonrpc.request.id"), "first");
    assert_eq!(initialize.attribute("mcp.protocol.version"), SESSIONS);
    assert_eq!(initialize.attribute("mcp.session.id"), hashed(session_id));
    // Through Redis, too.
    for service in ["auth-0", "session-0"] {
        let served = spans
            .iter()
            .find(|span| span.instance == service && span.kind == Kind::Server)
            .unwrap();
        let is_command = |span: &Span| !is_no_command(span) && span.is_child_of(served);
        assert!(
            spans.iter().any(is_command),
            "{service} shows no command of redis"
        );
    }
}

async fn in_the_header(world: &World, client: &Client) {
    let (trace_id, traceparent) = from_outside();
    send(
        client
            .post("tools/call", echo())
            .header("traceparent", traceparent),
    )
    .await;
    let spans = world.expect(&trace_id, WITHIN).await;
    let http = spans.iter().find(|span| is_server(span, "POST /mcp")).unwrap();
    assert_eq!(http.parent_id, "00f067aa0ba902b7");
}

async fn in_meta(world: &World, client: &Client) {
    let (trace_id, traceparent) = from_outside();
    send(client.post("tools/call", with_meta(&traceparent))).await;
    let spans = world.expect(&trace_id, APART).await;
    let tool = spans
        .iter()
        .find(|span| is_server(span, "tools/call echo"))
        .unwrap();
    assert_eq!(tool.parent_id, "00f067aa0ba902b7");
    // What brought it is a trace of its own.
    let http = world
        .span("the HTTP request", |span| tool.is_linked_to(span))
        .await;
    assert_eq!(http.parent_id, "");
    world.expect(&http.trace_id, HTTP).await;
}

async fn in_both(world: &World, client: &Client) {
    let (of_header, of_meta) = (from_outside(), from_outside());
    let request = client.post("tools/call", with_meta(&of_meta.1));
    send(request.header("traceparent", &of_header.1)).await;
    world.expect(&of_meta.0, APART).await;
    world.expect(&of_header.0, HTTP).await;
}

async fn in_neither(world: &World, client: &Client) {
    let id = 1_000 + i64::from(world.receiver.spans().len() as u32);
    send(client.post_as(id, "tools/call", echo())).await;
    let tool = world
        .span("the call", |span| {
            is_server(span, "tools/call echo") && span.attribute("jsonrpc.request.id") == id.to_string()
        })
        .await;
    let spans = world.expect(&tool.trace_id, WITHIN).await;
    let http = spans.iter().find(|span| is_server(span, "POST /mcp")).unwrap();
    assert_eq!(http.parent_id, "");
}

async fn malformed(world: &World, client: &Client) {
    let (trace_id, traceparent) = from_outside();
    for nonsense in [
        "nonsense",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ] {
        let request = client.post("tools/call", with_meta(nonsense));
        let response = send(request.header("traceparent", nonsense)).await;
        assert_eq!(response.status, 200, "{}", response.text());
    }
    // What is malformed in `_meta` does not hide what is good in the header.
    let request = client.post("tools/call", with_meta("nonsense"));
    send(request.header("traceparent", &traceparent)).await;
    world.expect(&trace_id, WITHIN).await;
}
