//! A tool that asks the client's LLM, answered at the other edge: one trace, in either era.

use serde_json::{Value, json};
use system_tests::{client::SseStream, otlp::StatusCode};

use super::world::{Era, SESSIONS, STATELESS, World, from_outside, is_no_command, is_server, send};

fn call() -> Value {
    json!({"name": "sampleLLM", "arguments": {"prompt": "hello"}})
}

fn sampled() -> Value {
    json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "hi"}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_s_call_is_one_trace_over_both_edges() {
    let world = World::start().await;
    let client = world.client(Era::Sessions).await;
    let (trace_id, traceparent) = from_outside();
    let request = client
        .post_as(77, "tools/call", call())
        .header("traceparent", &traceparent);
    let mut stream = SseStream::open(request).await.unwrap();
    let question = stream.message().await;
    assert_eq!(question["method"], "sampling/createMessage");
    world.at(&client, 1).answer(&question, sampled()).await;
    let end = stream.messages().await;
    assert_eq!(end[0]["result"]["content"][0]["text"], "LLM sampling result: hi");

    let spans = world
        .expect(
            &trace_id,
            "
            edge-0 SERVER POST /mcp
              edge-0 SERVER tools/call sampleLLM
                edge-0 CLIENT everything.feature.v1.FeatureService/CallTool
                  feature-0 SERVER everything.feature.v1.FeatureService/CallTool
                edge-0 CLIENT sampling/createMessage
                  session-0 INTERNAL follow session
                  edge-0 CLIENT everything.session.v1.SessionService/Append
                    session-0 SERVER everything.session.v1.SessionService/Append
                      session-0 PRODUCER publish mcp:shttp:toclient:{session}:{stream}
                  edge-0 INTERNAL wait for the client ~ process mcp:shttp:toserver:{session}
                  edge-1 SERVER POST /mcp
                    edge-1 CLIENT everything.session.v1.SessionService/Answer
                      session-0 SERVER everything.session.v1.SessionService/Answer
                        session-0 PRODUCER publish mcp:shttp:toserver:{session}
                          session-0 CONSUMER process mcp:shttp:toserver:{session} ~ publish mcp:shttp:toserver:{session}
                edge-0 CLIENT everything.feature.v1.FeatureService/CallTool
                  feature-0 SERVER everything.feature.v1.FeatureService/CallTool
                edge-0 CLIENT everything.session.v1.SessionService/Append
                  session-0 SERVER everything.session.v1.SessionService/Append
                    session-0 PRODUCER publish mcp:shttp:toclient:{session}:{stream}
            ",
        )
        .await;

    for span in &spans {
        let binary = format!("everything-{}", span.instance.split('-').next().unwrap());
        assert_eq!(span.service, binary);
        assert_eq!(span.status, StatusCode::Unset, "{span:#?}");
        assert!(!span.attributes.contains_key("error.type"), "{span:#?}");
        let text = format!("{span:?}");
        assert!(
            !text.contains(client.session_id()),
            "the session's id is in {span:#?}"
        );
        if is_no_command(span) && span.name.starts_with("everything.") {
            assert_eq!(span.attribute("rpc.system.name"), "grpc");
            assert_eq!(span.attribute("rpc.method"), span.name);
            assert_eq!(span.attribute("rpc.response.status_code"), "OK", "{span:#?}");
        }
    }
    let http = spans.iter().find(|span| is_server(span, "POST /mcp")).unwrap();
    assert_eq!(http.parent_id, "00f067aa0ba902b7");
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/mcp"),
        ("url.path", "/mcp"),
        ("url.scheme", "http"),
        ("http.response.status_code", "200"),
        ("network.protocol.version", "1.1"),
        ("client.address", "127.0.0.1"),
        ("server.address", "127.0.0.1"),
    ] {
        assert_eq!(http.attribute(name), value, "{name} of {http:#?}");
    }
    let session = telemetry::conventions::hashed(client.session_id());
    let tool = spans
        .iter()
        .find(|span| is_server(span, "tools/call sampleLLM"))
        .unwrap();
    let attributes: Vec<(&str, &str)> = tool.attributes.iter().map(|(n, v)| (&**n, &**v)).collect();
    assert_eq!(
        attributes,
        [
            ("client.address", "127.0.0.1"),
            ("gen_ai.operation.name", "execute_tool"),
            ("gen_ai.tool.name", "sampleLLM"),
            ("jsonrpc.request.id", "77"),
            ("mcp.method.name", "tools/call"),
            ("mcp.protocol.version", SESSIONS),
            ("mcp.session.id", &session),
            ("network.protocol.name", "http"),
            ("network.protocol.version", "1.1"),
            ("network.transport", "tcp"),
        ]
    );
    let asked = spans
        .iter()
        .find(|span| span.name == "sampling/createMessage")
        .unwrap();
    let attributes: Vec<(&str, &str)> = asked.attributes.iter().map(|(n, v)| (&**n, &**v)).collect();
    assert_eq!(
        attributes,
        [
            ("jsonrpc.request.id", question["id"].as_str().unwrap()),
            ("mcp.method.name", "sampling/createMessage"),
            ("mcp.protocol.version", SESSIONS),
            ("mcp.session.id", &session),
            ("network.protocol.name", "http"),
            ("network.transport", "tcp"),
        ]
    );
    assert_eq!(question["params"]["_meta"]["traceparent"], asked.traceparent());
    let published = spans
        .iter()
        .find(|span| span.name.starts_with("publish mcp:shttp:toserver"))
        .unwrap();
    for (name, value) in [
        ("messaging.system", "redis"),
        ("messaging.operation.name", "publish"),
        ("messaging.operation.type", "send"),
        ("messaging.destination.template", "mcp:shttp:toserver:{session}"),
        ("messaging.message.id", question["id"].as_str().unwrap()),
    ] {
        assert_eq!(published.attribute(name), value, "{name} of {published:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_round_of_a_call_without_a_session_links_to_the_one_before() {
    let world = World::start().await;
    let client = world.client(Era::Stateless).await;
    let rounds = [from_outside(), from_outside()];
    let first = client
        .post("tools/call", call())
        .header("traceparent", &rounds[0].1);
    let asked = send(first).await.result().unwrap();
    assert_eq!(asked["resultType"], "input_required");
    let mut answered = call();
    answered["requestState"] = asked["requestState"].clone();
    let key = asked["inputRequests"].as_object().unwrap().keys().next().unwrap();
    answered["inputResponses"] = json!({ key: sampled() });
    let second = world
        .at(&client, 1)
        .post_as(78, "tools/call", answered)
        .header("traceparent", &rounds[1].1);
    let end = send(second).await.result().unwrap();
    assert_eq!(end["content"][0]["text"], "LLM sampling result: hi");

    let before = world
        .expect(
            &rounds[0].0,
            "
            edge-0 SERVER POST /mcp
              edge-0 SERVER tools/call sampleLLM
                edge-0 CLIENT everything.feature.v1.FeatureService/CallTool
                  feature-0 SERVER everything.feature.v1.FeatureService/CallTool
            ",
        )
        .await;
    let after = world
        .expect(
            &rounds[1].0,
            "
            edge-1 SERVER POST /mcp
              edge-1 SERVER tools/call sampleLLM ~ tools/call sampleLLM
                edge-1 CLIENT everything.feature.v1.FeatureService/CallTool
                  feature-0 SERVER everything.feature.v1.FeatureService/CallTool
            ",
        )
        .await;
    let tool = |spans: &[_]| {
        let of_tool = |span: &&system_tests::otlp::Span| is_server(span, "tools/call sampleLLM");
        spans.iter().find(of_tool).cloned().unwrap()
    };
    let (before, after) = (tool(&before), tool(&after));
    assert!(after.is_linked_to(&before));
    let attributes: Vec<(&str, &str)> = after.attributes.iter().map(|(n, v)| (&**n, &**v)).collect();
    assert_eq!(
        attributes,
        [
            ("client.address", "127.0.0.1"),
            ("gen_ai.operation.name", "execute_tool"),
            ("gen_ai.tool.name", "sampleLLM"),
            ("jsonrpc.request.id", "78"),
            ("mcp.method.name", "tools/call"),
            ("mcp.protocol.version", STATELESS),
            ("network.protocol.name", "http"),
            ("network.protocol.version", "1.1"),
            ("network.transport", "tcp"),
        ]
    );
    assert_eq!(before.status, StatusCode::Unset);
}
