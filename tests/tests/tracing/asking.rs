//! A tool that asks its client, in a session, and is answered at the other edge: one trace, whatever is asked.

use serde_json::{Value, json};
use system_tests::{
    client::SseStream,
    otlp::{Kind, Span, StatusCode},
};
use telemetry::conventions::hashed;

use super::world::{
    Client, Era, Question, SESSIONS, World, from_outside, is_no_command, is_pictured, is_server, questions,
};

const WAIT: &str = "wait for the client";

/// Edge 0 runs the call, edge 1 takes the answer. What the question does beside that is in [`expect`]: the wait and the
/// answer begin in no order, and edge 0 may follow the session anew for reasons of its own.
fn answered(Question { tool, method, .. }: &Question) -> String {
    format!(
        "
        edge-0 SERVER POST /mcp
          edge-0 SERVER tools/call {tool}
            edge-0 CLIENT everything.feature.v1.FeatureService/CallTool
              feature-0 SERVER everything.feature.v1.FeatureService/CallTool
            edge-0 CLIENT {method}
              edge-0 CLIENT everything.session.v1.SessionService/Append
                session-0 SERVER everything.session.v1.SessionService/Append
                  session-0 PRODUCER publish mcp:shttp:toclient:{{session}}:{{stream}}
              edge-1 SERVER POST /mcp
                edge-1 CLIENT everything.session.v1.SessionService/Answer
                  session-0 SERVER everything.session.v1.SessionService/Answer
                    session-0 PRODUCER publish mcp:shttp:toserver:{{session}}
                      session-0 CONSUMER process mcp:shttp:toserver:{{session}} ~ publish mcp:shttp:toserver:{{session}}
            edge-0 CLIENT everything.feature.v1.FeatureService/CallTool
              feature-0 SERVER everything.feature.v1.FeatureService/CallTool
            edge-0 CLIENT everything.session.v1.SessionService/Append
              session-0 SERVER everything.session.v1.SessionService/Append
                session-0 PRODUCER publish mcp:shttp:toclient:{{session}}:{{stream}}
        "
    )
}

/// The same, but that the client answers with an error: its question failed, and so did the call that needed it.
fn refused(Question { tool, method, .. }: &Question, code: i64) -> String {
    format!(
        "
        edge-0 SERVER POST /mcp
          edge-0 SERVER tools/call {tool} ! {code}
            edge-0 CLIENT everything.feature.v1.FeatureService/CallTool
              feature-0 SERVER everything.feature.v1.FeatureService/CallTool
            edge-0 CLIENT {method} ! {code}
              edge-0 CLIENT everything.session.v1.SessionService/Append
                session-0 SERVER everything.session.v1.SessionService/Append
                  session-0 PRODUCER publish mcp:shttp:toclient:{{session}}:{{stream}}
              edge-1 SERVER POST /mcp
                edge-1 CLIENT everything.session.v1.SessionService/Answer
                  session-0 SERVER everything.session.v1.SessionService/Answer
                    session-0 PRODUCER publish mcp:shttp:toserver:{{session}}
                      session-0 CONSUMER process mcp:shttp:toserver:{{session}} ~ publish mcp:shttp:toserver:{{session}}
            edge-0 CLIENT everything.session.v1.SessionService/Append
              session-0 SERVER everything.session.v1.SessionService/Append
                session-0 PRODUCER publish mcp:shttp:toclient:{{session}}:{{stream}}
        "
    )
}

/// Has the tool ask, as the request 77 of a client of its own.
async fn ask(world: &World, about: &Question, traceparent: &str) -> (Client, SseStream, Value) {
    let client = world.client(Era::Sessions).await;
    let request = client
        .post_as(77, "tools/call", about.call())
        .header("traceparent", traceparent);
    let mut stream = SseStream::open(request).await.unwrap();
    let question = stream.message().await;
    assert_eq!(question["method"], about.method);
    (client, stream, question)
}

fn attributes(span: &Span) -> Vec<(&str, &str)> {
    span.attributes.iter().map(|(n, v)| (&**n, &**v)).collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans.iter().find(|span| span.name == name).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_s_call_is_one_trace_over_both_edges() {
    let world = World::start().await;
    for about in questions() {
        let (trace_id, traceparent) = from_outside();
        let (client, mut stream, question) = ask(&world, &about, &traceparent).await;
        world.at(&client, 1).answer(&question, about.answer.clone()).await;
        let end = stream.messages().await;
        let text = end[0]["result"]["content"][0]["text"].as_str().unwrap();
        assert_eq!(text, about.end, "{}", about.tool);

        let spans = expect(&world, &trace_id, about.method, &answered(&about)).await;
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
        let session = hashed(client.session_id());
        let tool = spans
            .iter()
            .find(|span| is_server(span, &format!("tools/call {}", about.tool)))
            .unwrap();
        assert_eq!(
            attributes(tool),
            [
                ("client.address", "127.0.0.1"),
                ("gen_ai.operation.name", "execute_tool"),
                ("gen_ai.tool.name", about.tool),
                ("jsonrpc.request.id", "77"),
                ("mcp.method.name", "tools/call"),
                ("mcp.protocol.version", SESSIONS),
                ("mcp.session.id", &session),
                ("network.protocol.name", "http"),
                ("network.protocol.version", "1.1"),
                ("network.transport", "tcp"),
            ]
        );
        let asked = named(&spans, about.method);
        assert_eq!(
            attributes(asked),
            [
                ("jsonrpc.request.id", question["id"].as_str().unwrap()),
                ("mcp.method.name", about.method),
                ("mcp.protocol.version", SESSIONS),
                ("mcp.session.id", &session),
                ("network.protocol.name", "http"),
                ("network.transport", "tcp"),
            ]
        );
        assert_eq!(question["params"]["_meta"]["traceparent"], asked.traceparent());
        what_carried_it_says_so(&spans, &question);
    }
}

/// Compares a trace with its picture, and looks for the parts of the question that are not in it.
async fn expect(world: &World, trace_id: &str, method: &str, expected: &str) -> Vec<Span> {
    let pictured = |span: &Span| is_pictured(span) && span.name != WAIT;
    let spans = world.receiver.expect_tree(trace_id, pictured, expected).await;
    let asked = named(&spans, method);
    let of_question = |what: &'static str| {
        let is_it = move |span: &Span| span.is_child_of(asked) && span.name == what;
        world.span(what, is_it)
    };
    // Ready to hear the answer before the client is asked.
    let follow = of_question("follow session").await;
    assert_eq!((&*follow.instance, follow.kind), ("session-0", Kind::Internal));
    let append = spans
        .iter()
        .find(|span| span.is_child_of(asked) && span.name.ends_with("/Append"))
        .unwrap();
    let wait = of_question(WAIT).await;
    assert_eq!((&*wait.instance, wait.kind), ("edge-0", Kind::Internal));
    assert!(
        follow.start_ns <= append.start_ns && append.start_ns <= wait.start_ns,
        "{follow:#?} {append:#?} {wait:#?}"
    );
    assert!(wait.end_ns <= asked.end_ns, "{asked:#?} {wait:#?}");
    let taken = spans
        .iter()
        .find(|span| span.name.starts_with("process mcp:shttp:toserver"))
        .unwrap();
    assert!(wait.is_linked_to(taken) && wait.links.len() == 1, "{wait:#?}");
    for what in ["follow session", WAIT] {
        let spans = world.receiver.spans();
        let of_question = spans
            .iter()
            .filter(|span| span.is_child_of(asked) && span.name == what);
        assert_eq!(of_question.count(), 1, "{what}");
    }
    spans
}

fn what_carried_it_says_so(spans: &[Span], question: &Value) {
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
async fn a_question_that_is_refused_fails_and_so_does_its_call() {
    const WORDS: &str = "words-of-the-client-that-are-nobody-s-business";
    let world = World::start().await;
    for about in questions() {
        let (trace_id, traceparent) = from_outside();
        let (client, mut stream, question) = ask(&world, &about, &traceparent).await;
        let error = json!({ "code": -1, "message": WORDS });
        world.at(&client, 1).refuse(&question, error).await;
        let end = stream.messages().await;
        assert_eq!(end[0]["error"]["code"], -1, "{end:?}");
        let sentence = end[0]["error"]["message"].as_str().unwrap();
        assert!(sentence.contains(WORDS), "{sentence}");

        let spans = expect(&world, &trace_id, about.method, &refused(&about, -1)).await;
        let failed = spans
            .iter()
            .filter(|span| span.status == StatusCode::Error)
            .collect::<Vec<_>>();
        assert_eq!(failed.len(), 2, "{failed:#?}");
        for span in failed {
            assert_eq!(span.attribute("rpc.response.status_code"), "-1");
            assert_eq!(span.status_message, "the client refused");
        }
        assert!(!format!("{spans:?}").contains(WORDS));
    }
}
