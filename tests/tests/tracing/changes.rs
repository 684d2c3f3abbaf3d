//! What changed reaches other clients' streams, and stays in the trace of the call that changed it.

use serde_json::json;
use system_tests::otlp::Kind;

use super::world::{Era, World, from_outside, is_server, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_belongs_to_the_call_that_caused_it_and_names_the_stream_that_carries_it() {
    let world = World::start().await;
    let client = world.client(Era::Sessions).await;
    let mut stream = world.at(&client, 1).stream().await;
    let (trace_id, traceparent) = from_outside();
    let add = json!({"name": "gzipAsResource", "arguments": {"data": "hello"}});
    let answer = send(client.post("tools/call", add).header("traceparent", &traceparent)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let notification = stream.message().await;
    assert_eq!(notification["method"], "notifications/resources/list_changed");
    // The stream's own span ends with the stream.
    drop(stream);

    let spans = world
        .expect(
            &trace_id,
            "
            edge-0 SERVER POST /mcp
              edge-0 SERVER tools/call gzipAsResource
                edge-0 CLIENT everything.feature.v1.FeatureService/CallTool
                  feature-0 SERVER everything.feature.v1.FeatureService/CallTool
                    feature-0 PRODUCER publish mcp:changes
                      session-0 CONSUMER process mcp:changes ~ publish mcp:changes
                        session-0 PRODUCER publish mcp:shttp:toclient:{session}:{stream}
                          session-0 CONSUMER process mcp:shttp:toclient:{session}:{stream} ~ publish mcp:shttp:toclient:{session}:{stream}
                        edge-1 CLIENT notifications/resources/list_changed ~ process mcp:changes ~ GET /mcp
            ",
        )
        .await;
    let told = spans
        .iter()
        .find(|span| span.name == "notifications/resources/list_changed")
        .unwrap();
    assert_eq!(notification["params"]["_meta"]["traceparent"], told.traceparent());
    let get = world.span("the stream", |span| is_server(span, "GET /mcp")).await;
    assert!(get.links.iter().any(|link| link.trace_id == trace_id), "{get:#?}");
    // The feature's commands are part of the call.
    let feature = spans
        .iter()
        .find(|span| span.instance == "feature-0" && span.kind == Kind::Server)
        .unwrap();
    let commands: Vec<_> = spans
        .iter()
        .filter(|span| span.attribute("db.system.name") == "redis")
        .collect();
    assert!(
        commands.iter().any(|span| span.is_child_of(feature)),
        "{commands:#?}"
    );
    for command in commands {
        assert_eq!(command.kind, Kind::Client);
        let text = format!("{command:?}");
        assert!(!text.contains(client.session_id()), "{command:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_resumed_links_to_what_it_delivers() {
    let world = World::start().await;
    let client = world.client(Era::Sessions).await;
    let (trace_id, traceparent) = from_outside();
    let call = json!({
        "name": "longRunningOperation",
        "arguments": {"duration": 0.4, "steps": 2},
        "_meta": {"progressToken": "p"},
    });
    let request = client
        .post("tools/call", call)
        .header("traceparent", &traceparent);
    let mut stream = system_tests::client::SseStream::open(request).await.unwrap();
    assert_eq!(stream.message().await["method"], "notifications/progress");
    let cursor = stream.last_event_id().to_owned();
    drop(stream);
    let mut resumed = world.at(&client, 1).resume(&cursor).await;
    let rest = resumed.messages().await;
    assert!(rest.last().unwrap()["result"].is_object(), "{rest:?}");
    let get = world
        .span("the resumed stream", |span| is_server(span, "GET /mcp"))
        .await;
    assert!(get.links.iter().any(|link| link.trace_id == trace_id), "{get:#?}");
    // The call went on to its end, however its client fared.
    let tool = world
        .span("the call", |span| {
            span.trace_id == trace_id && is_server(span, "tools/call longRunningOperation")
        })
        .await;
    assert!(!tool.attributes.contains_key("error.type"), "{tool:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_links_to_the_request_that_created_it() {
    let world = World::start().await;
    let client = world.client(Era::Stateless).await;
    let (trace_id, traceparent) = from_outside();
    let call = json!({
        "name": "simulateResearchQuery",
        "arguments": {"topic": "traces"},
        "_meta": {"io.modelcontextprotocol/clientCapabilities": {
            "extensions": {"io.modelcontextprotocol/tasks": {}},
        }},
    });
    let answer = send(
        client
            .post("tools/call", call)
            .header("traceparent", &traceparent),
    )
    .await;
    assert_eq!(
        answer.result().unwrap()["resultType"],
        "task",
        "{}",
        answer.text()
    );
    let call = world
        .span("the call", |span| {
            span.trace_id == trace_id && is_server(span, "tools/call simulateResearchQuery")
        })
        .await;
    let run = world
        .span("the run", |span| span.name == "run task simulateResearchQuery")
        .await;
    assert!(run.is_linked_to(&call), "{run:#?}");
    assert_eq!(run.links.len(), 1, "{run:#?}");
    assert_eq!((run.kind, &*run.parent_id), (Kind::Internal, ""));
    assert_eq!(run.attribute("gen_ai.tool.name"), "simulateResearchQuery");
    let rpc = world
        .span("the feature's work", |span| {
            span.is_child_of(&run) && span.name == "everything.feature.v1.FeatureService/CallTool"
        })
        .await;
    assert_eq!(rpc.attribute("rpc.response.status_code"), "OK");
}
