//! How failures look: the span that failed says so, and those that only passed it on say it in their own words.

use serde_json::json;
use system_tests::otlp::{Span, StatusCode};

use super::world::{Era, World, echo, from_outside, is_pictured, is_server, send};

fn find(spans: &[Span], is_it: impl Fn(&Span) -> bool) -> &Span {
    spans.iter().find(|span| is_it(span)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_named_where_they_happen() {
    let mut world = World::start().await;
    for era in [Era::Sessions, Era::Stateless] {
        let client = world.client(era).await;

        // The tool ran and says that it failed: an answer like any other for everybody but the MCP operation.
        let (trace_id, traceparent) = from_outside();
        let wrong = json!({"name": "echo", "arguments": {"message": 7}});
        let answer = send(
            client
                .post("tools/call", wrong)
                .header("traceparent", traceparent),
        )
        .await;
        assert_eq!(answer.result().unwrap()["isError"], true, "{}", answer.text());
        let spans = world
            .expect(
                &trace_id,
                "
                edge-0 SERVER POST /mcp
                  edge-0 SERVER tools/call echo ! tool_error
                    edge-0 CLIENT everything.feature.v1.FeatureService/CallTool
                      feature-0 SERVER everything.feature.v1.FeatureService/CallTool
                ",
            )
            .await;
        let tool = find(&spans, |span| is_server(span, "tools/call echo"));
        assert!(!tool.attributes.contains_key("rpc.response.status_code"));

        // A JSON-RPC error: its code and its message.
        let (trace_id, traceparent) = from_outside();
        let unknown = json!({"name": "noSuchTool", "arguments": {}});
        let answer = send(
            client
                .post("tools/call", unknown)
                .header("traceparent", traceparent),
        )
        .await;
        let error = answer.result().unwrap_err();
        assert_eq!(error["code"], -32602, "{error}");
        let spans = world.span("the call", |span| {
            span.trace_id == trace_id && is_server(span, "tools/call noSuchTool")
        });
        let tool = spans.await;
        assert_eq!(tool.status, StatusCode::Error);
        assert_eq!(tool.attribute("error.type"), "-32602");
        assert_eq!(tool.attribute("rpc.response.status_code"), "-32602");
        assert_eq!(tool.status_message, error["message"].as_str().unwrap());

        // A method that nobody knows.
        let (trace_id, traceparent) = from_outside();
        send(
            client
                .post("no/such", json!({}))
                .header("traceparent", traceparent),
        )
        .await;
        world
            .expect(
                &trace_id,
                "
                edge-0 SERVER POST /mcp
                  edge-0 SERVER no/such ! -32601
                ",
            )
            .await;
    }

    // A service that is down.
    let client = world.client(Era::Sessions).await;
    world.stack.kill("feature-0").unwrap();
    let (trace_id, traceparent) = from_outside();
    let answer = send(
        client
            .post("tools/call", echo())
            .header("traceparent", traceparent),
    )
    .await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    let spans = world
        .expect(
            &trace_id,
            "
            edge-0 SERVER POST /mcp ! 503
              edge-0 SERVER tools/call echo ! -32603
                edge-0 CLIENT everything.feature.v1.FeatureService/CallTool ! UNAVAILABLE
            ",
        )
        .await;
    let spans: Vec<Span> = spans.into_iter().filter(is_pictured).collect();
    let rpc = find(&spans, |span| span.name.starts_with("everything."));
    assert_eq!(rpc.attribute("rpc.response.status_code"), "UNAVAILABLE");
    let http = find(&spans, |span| is_server(span, "POST /mcp"));
    assert_eq!(http.attribute("http.response.status_code"), "503");
    for span in &spans {
        assert_eq!(span.status, StatusCode::Error, "{span:#?}");
    }
}
