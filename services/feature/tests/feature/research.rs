//! The tool that can run as a task: stages, and a question midway.

use std::collections::HashMap;

use everything_proto::feature::v1::{
    CallContext, InputRequired, ListToolsRequest, call_event::Event, input_request::Request,
    tool::TaskSupport,
};
use serde_json::{Value, json};

use crate::harness::{Feature, alice, input_required, json as parse, quiet, result, serve, shared};

const TOOL: &str = "simulateResearchQuery";

fn arguments(ambiguous: bool) -> Value {
    json!({ "topic": "python", "ambiguous": ambiguous, "duration": 0 })
}

fn round(required: &InputRequired, answer: &Value) -> CallContext {
    CallContext {
        inputs_json: HashMap::from([(required.requests[0].key.clone(), answer.to_string().into())]),
        state: required.state.clone(),
        wants_progress: true,
        ..alice()
    }
}

/// The progress that was told, and the end of the call.
fn told(mut events: Vec<Event>) -> (Vec<f64>, Vec<Event>) {
    let end = events.split_off(events.len() - 1);
    let progress = events.into_iter().map(|event| match event {
        Event::Progress(progress) => progress.progress,
        other => panic!("{other:?}"),
    });
    (progress.collect(), end)
}

fn text(events: Vec<Event>) -> String {
    result(events)["content"][0]["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn it_is_the_one_tool_that_can_be_a_task() {
    let feature = Feature::start().await;
    let request = ListToolsRequest {
        context: Some(alice()),
        cursor: None,
    };
    let tools = feature.client.clone().list_tools(request).await.unwrap();
    for tool in tools.into_inner().tools {
        let expected = match tool.name.as_str() {
            TOOL => TaskSupport::Optional,
            _ => TaskSupport::Forbidden,
        };
        assert_eq!(tool.task_support(), expected, "{}", tool.name);
        assert!(!tool.asks_before_task);
    }
}

#[tokio::test]
async fn a_clear_topic_runs_through_all_stages() {
    let feature = Feature::start().await;
    let context = CallContext {
        wants_progress: true,
        ..alice()
    };
    let events = feature.call_in(context, TOOL, arguments(false)).await;
    let (stages, end) = told(events);
    assert_eq!(stages, [1.0, 2.0, 3.0, 4.0]);
    assert!(text(end).starts_with("# Research report: python\n"));
}

#[tokio::test]
async fn an_ambiguous_topic_is_asked_about_midway_and_another_replica_goes_on() {
    let (dependencies, feed) = shared(&quiet());
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let (client, stop) = serve(quiet(), dependencies.clone()).await;
        replicas.push((Feature::of(client, feed.clone()), stop));
    }
    let context = CallContext {
        wants_progress: true,
        ..alice()
    };
    let events = replicas[0].0.call_in(context, TOOL, arguments(true)).await;
    let (stages, end) = told(events);
    assert_eq!(stages, [1.0, 2.0]);
    let asked = input_required(end);
    let Some(Request::ElicitationFormJson(params)) = &asked.requests[0].request else {
        panic!("{asked:?}")
    };
    let params = parse(params);
    assert_eq!(
        params["message"],
        "\"python\" can be understood in several ways. Which one is meant?"
    );

    for (answer, begins) in [
        (
            json!({ "action": "accept", "content": { "interpretation": "historical" } }),
            "# Research report: python (historical)\n",
        ),
        (json!({ "action": "decline" }), "# Research report: python\n"),
    ] {
        let context = round(&asked, &answer);
        let events = replicas[1].0.call_in(context, TOOL, arguments(true)).await;
        let (stages, end) = told(events);
        assert_eq!(stages, [3.0, 4.0]);
        let text = text(end);
        assert!(text.starts_with(begins), "{text}");
    }
    let context = round(&asked, &json!({ "action": "cancel" }));
    let events = replicas[1].0.call_in(context, TOOL, arguments(true)).await;
    assert_eq!(text(events), "The user cancelled the research.");
}

#[tokio::test]
async fn a_client_that_cannot_be_asked_gets_a_report_all_the_same() {
    let feature = Feature::start().await;
    let context = CallContext {
        client_capabilities: None,
        ..alice()
    };
    let events = feature.call_in(context, TOOL, arguments(true)).await;
    assert!(text(events).starts_with("# Research report: python\n"));
}
