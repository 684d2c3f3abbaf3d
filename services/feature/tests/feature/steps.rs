//! A tool that asks several times, one question after the other.

use std::collections::HashMap;

use everything_proto::feature::v1::{CallContext, InputRequired, input_request::Request};
use serde_json::{Value, json};

use crate::harness::{Feature, alice, error, input_required, json as parse, quiet, result, serve, shared};

const TOOL: &str = "elicitInSteps";

/// The next round, as the caller makes it: with the answer and the state of the one before.
fn round(required: &InputRequired, answer: &Value) -> CallContext {
    CallContext {
        inputs_json: HashMap::from([(required.requests[0].key.clone(), answer.to_string().into())]),
        state: required.state.clone(),
        ..alice()
    }
}

fn accept(content: Value) -> Value {
    json!({ "action": "accept", "content": content })
}

/// Message and fields of the one question.
fn form(required: &InputRequired) -> (String, Value) {
    assert_eq!(required.requests.len(), 1);
    let Some(Request::ElicitationFormJson(params)) = &required.requests[0].request else {
        panic!("{required:?}")
    };
    let params = parse(params);
    let message = params["message"].as_str().unwrap().to_owned();
    (message, params["requestedSchema"]["properties"].clone())
}

#[tokio::test]
async fn each_step_depends_on_those_before_and_any_replica_takes_any_step() {
    let (dependencies, feed) = shared(&quiet());
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let (client, stop) = serve(quiet(), dependencies.clone()).await;
        replicas.push((Feature::of(client, feed.clone()), stop));
    }
    let arguments = json!({ "occasion": "a party" });
    let guests = input_required(replicas[0].0.call_in(alice(), TOOL, arguments.clone()).await);
    assert_eq!(form(&guests).0, "Step 1 of 3. How many guests come to a party?");

    let context = round(&guests, &accept(json!({ "guests": 12 })));
    let dish = input_required(replicas[1].0.call_in(context, TOOL, arguments.clone()).await);
    let (message, fields) = form(&dish);
    assert_eq!(message, "Step 2 of 3. What is there for 12?");
    assert_eq!(fields["dish"]["enum"], json!(["curry", "chili", "lasagne"]));

    let context = round(&dish, &accept(json!({ "dish": "curry" })));
    let confirm = input_required(replicas[0].0.call_in(context, TOOL, arguments.clone()).await);
    assert_eq!(
        form(&confirm).0,
        "Step 3 of 3. For a party: curry for 12. Agreed?"
    );

    for (agreed, expected) in [
        (true, "Planned. For a party: curry for 12."),
        (false, "The user did not agree to the plan."),
    ] {
        let context = round(&confirm, &accept(json!({ "agreed": agreed })));
        let end = result(replicas[1].0.call_in(context, TOOL, arguments.clone()).await);
        assert_eq!(end["content"][0]["text"], expected);
    }
}

#[tokio::test]
async fn what_was_not_asked_for_is_asked_again_and_no_is_an_answer() {
    let feature = Feature::start().await;
    let first = input_required(feature.call_in(alice(), TOOL, json!({})).await);
    for wrong in [
        json!({}),
        json!({ "guests": 0 }),
        json!({ "guests": "12" }),
        json!({ "dish": "soup" }),
    ] {
        let again = input_required(
            feature
                .call_in(round(&first, &accept(wrong)), TOOL, json!({}))
                .await,
        );
        assert_eq!(form(&again), form(&first));
    }
    for (action, expected) in [
        ("decline", "The user declined to plan."),
        ("cancel", "The user cancelled the plan."),
    ] {
        let end = result(
            feature
                .call_in(round(&first, &json!({ "action": action })), TOOL, json!({}))
                .await,
        );
        assert_eq!(end["content"][0]["text"], expected);
    }
}

#[tokio::test]
async fn a_state_that_is_not_the_tools_own_is_refused() {
    let feature = Feature::start().await;
    for state in ["{", "7", r#"{"guests":"x"}"#] {
        let context = CallContext {
            state: state.into(),
            ..alice()
        };
        assert_eq!(
            error(feature.call_in(context, TOOL, json!({})).await).code,
            -32602,
            "{state}"
        );
    }
}
