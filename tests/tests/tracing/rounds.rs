//! Questions as results: every round is a request of its own, in a trace of its own, and names the one before.

use serde_json::{Value, json};
use system_tests::otlp::{Span, StatusCode};

use super::world::{Client, Era, STATELESS, World, from_outside, is_server, questions, send};

/// One round, and the span that it left.
struct Round {
    result: Value,
    span: Span,
}

/// Sends a round to an edge, in a trace of its own, which must look like this: the call itself, which links to the
/// round before unless it is the first, and the feature's work unless it is not asked at all.
async fn round(world: &World, client: &Client, edge: usize, params: Value, before: Option<&Round>) -> Round {
    let worked = params["inputResponses"] != json!({});
    let name = format!("tools/call {}", params["name"].as_str().unwrap());
    let (trace_id, traceparent) = from_outside();
    let at = world.at(client, edge);
    let request = at.post_as(78, "tools/call", params);
    let result = send(request.header("traceparent", traceparent))
        .await
        .result()
        .unwrap();

    let link = before.map(|_| format!(" ~ {name}")).unwrap_or_default();
    let mut picture = format!("edge-{edge} SERVER POST /mcp\n  edge-{edge} SERVER {name}{link}\n");
    if worked {
        picture.push_str(&format!(
            "    edge-{edge} CLIENT everything.feature.v1.FeatureService/CallTool\n      \
             feature-0 SERVER everything.feature.v1.FeatureService/CallTool\n"
        ));
    }
    let spans = world.expect(&trace_id, &picture).await;
    let span = spans.into_iter().find(|span| is_server(span, &name)).unwrap();
    assert_eq!(span.status, StatusCode::Unset, "{span:#?}");
    assert_eq!(span.links.len(), usize::from(before.is_some()), "{span:#?}");
    if let Some(before) = before {
        assert!(span.is_linked_to(&before.span), "{span:#?}");
        assert_ne!(span.trace_id, before.span.trace_id);
    }
    Round { result, span }
}

/// The call once more, with the state of the round before.
fn again(call: &Value, before: &Round, answers: Value) -> Value {
    assert_eq!(before.result["resultType"], "input_required", "{}", before.result);
    let mut params = call.clone();
    params["requestState"] = before.result["requestState"].clone();
    params["inputResponses"] = answers;
    params
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_asks_links_to_the_round_before_whatever_it_asks_for() {
    let world = World::start().await;
    let client = world.client(Era::Stateless).await;
    for about in questions() {
        let first = round(&world, &client, 0, about.call(), None).await;
        let asked = first.result["inputRequests"].as_object().unwrap();
        let (key, request) = asked.iter().next().unwrap();
        assert_eq!(request["method"], about.method);
        let answered = again(&about.call(), &first, json!({ key: about.answer }));
        let second = round(&world, &client, 1, answered, Some(&first)).await;
        assert_eq!(second.result["content"][0]["text"], about.end);
        let attributes: Vec<(&str, &str)> = second
            .span
            .attributes
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(
            attributes,
            [
                ("client.address", "127.0.0.1"),
                ("gen_ai.operation.name", "execute_tool"),
                ("gen_ai.tool.name", about.tool),
                ("jsonrpc.request.id", "78"),
                ("mcp.method.name", "tools/call"),
                ("mcp.protocol.version", STATELESS),
                ("network.protocol.name", "http"),
                ("network.protocol.version", "1.1"),
                ("network.transport", "tcp"),
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_round_links_to_the_one_before_and_to_no_other() {
    let world = World::start().await;
    let client = world.client(Era::Stateless).await;
    let call = json!({ "name": "elicitInSteps", "arguments": { "occasion": "a party" } });
    let accepted = |key: &str, content: Value| json!({ key: { "action": "accept", "content": content } });
    let mut last = round(&world, &client, 0, call.clone(), None).await;
    // Nothing was answered: asked again, without the feature.
    for (edge, answers) in [
        (1, json!({})),
        (0, accepted("guests", json!({ "guests": 12 }))),
        (1, accepted("dish", json!({ "dish": "chili" }))),
        (0, accepted("confirm", json!({ "agreed": true }))),
    ] {
        let params = again(&call, &last, answers);
        last = round(&world, &client, edge, params, Some(&last)).await;
    }
    assert_eq!(
        last.result["content"][0]["text"],
        "Planned. For a party: chili for 12."
    );
}
