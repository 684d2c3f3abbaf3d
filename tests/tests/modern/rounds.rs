//! Questions to the client as results: every round is a request of its own, and nothing is kept for it.

use serde_json::{Value, json};
use system_tests::{Browser, Builder, Stack, client::Response};

use super::client::Modern;

const TOOL: &str = "elicitInSteps";
const OLD: &str = "the key that sealed what is still around";
const NEW: &str = "the key that seals from now on as it were";

async fn start(builder: Builder) -> Stack {
    builder.start().await.unwrap()
}

fn split() -> Builder {
    Stack::builder().processes().redis().edges(2).replicas(2)
}

fn one_edge() -> Builder {
    Stack::builder().processes().redis().auth_disabled()
}

/// The next round: the same call, with an answer and the state as it was handed out.
fn params(state: Option<&str>, answer: Option<(&str, Value)>) -> Value {
    let mut params = json!({ "name": TOOL, "arguments": { "occasion": "a party" } });
    if let Some(state) = state {
        params["requestState"] = json!(state);
    }
    if let Some((key, content)) = answer {
        params["inputResponses"] = json!({ key: { "action": "accept", "content": content } });
    }
    params
}

/// Question and state of a round that asks.
fn asked(response: &Response, key: &str) -> (Value, String) {
    assert_eq!(response.status, 200, "{}", response.text());
    let result = response.result().unwrap();
    assert_eq!(result["resultType"], "input_required", "{result}");
    let request = &result["inputRequests"][key];
    assert_eq!(request["method"], "elicitation/create", "{result}");
    let state = result["requestState"].as_str().unwrap().to_owned();
    (request["params"].clone(), state)
}

async fn first(modern: &Modern) -> String {
    asked(&modern.ask("tools/call", params(None, None)).await, "guests").1
}

fn guests() -> Option<(&'static str, Value)> {
    Some(("guests", json!({ "guests": 12 })))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_round_may_land_elsewhere_and_all_processes_may_restart_in_between() {
    let mut stack = start(split().auth_disabled()).await;
    let edges = [0, 1].map(|edge| Modern::new(&stack.edge_url(edge, "/mcp"), None));
    let state = first(&edges[0]).await;
    let (question, state) = asked(
        &edges[1].ask("tools/call", params(Some(&state), guests())).await,
        "dish",
    );
    assert_eq!(question["message"], "Step 2 of 3. What is there for 12?");

    for part in [
        "session-0",
        "session-1",
        "feature-0",
        "feature-1",
        "edge-0",
        "edge-1",
    ] {
        stack.restart(part).unwrap();
    }
    let through = Modern::new(&stack.url("/mcp"), None);
    let dish = || params(Some(&state), Some(("dish", json!({ "dish": "chili" }))));
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    let (question, state) = loop {
        let answer = through.ask("tools/call", dish()).await;
        if answer.status == 200 {
            break asked(&answer, "confirm");
        }
        assert!(tokio::time::Instant::now() < deadline, "{}", answer.text());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(
        question["message"],
        "Step 3 of 3. For a party: chili for 12. Agreed?"
    );
    for edge in &edges {
        let agreed = params(Some(&state), Some(("confirm", json!({ "agreed": true }))));
        let end = edge.ask("tools/call", agreed).await.result().unwrap();
        assert_eq!(end["resultType"], "complete");
        assert_eq!(end["content"][0]["text"], "Planned. For a party: chili for 12.");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_and_invalid_answers_are_asked_for_again() {
    let stack = start(one_edge()).await;
    let modern = Modern::new(&stack.url("/mcp"), None);
    let state = first(&modern).await;
    for answer in [
        None,
        Some(("other", json!({ "guests": 12 }))),
        Some(("guests", json!({ "guests": "many" }))),
        Some(("guests", json!({}))),
    ] {
        let again = modern
            .ask("tools/call", params(Some(&state), answer.clone()))
            .await;
        let (question, state) = asked(&again, "guests");
        assert_eq!(
            question["message"], "Step 1 of 3. How many guests come to a party?",
            "{answer:?}"
        );
        asked(
            &modern.ask("tools/call", params(Some(&state), guests())).await,
            "dish",
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_is_good_for_whom_and_what_it_was_given_only() {
    let stack = start(split()).await;
    let url = stack.url("/mcp");
    let mut people = Vec::new();
    for user in ["ada", "bob"] {
        let tokens = Browser::of(user).unwrap().log_in(&url).await.unwrap();
        people.push(Modern::new(&url, Some(&tokens.access_token)));
    }
    let state = first(&people[0]).await;
    let refused = |answer: &Response, what: &str| {
        assert_eq!((answer.status, answer.error_code()), (400, -32602), "{what}");
        assert!(!answer.text().contains("occasion"), "{what}");
    };
    for _ in 0..2 {
        let foreign = people[1].ask("tools/call", params(Some(&state), guests())).await;
        refused(&foreign, "somebody else's");
        let mut other = params(Some(&state), guests());
        other["arguments"]["occasion"] = json!("a wedding");
        refused(&people[0].ask("tools/call", other).await, "other arguments");
        let mut other = params(Some(&state), guests());
        other["name"] = json!("elicitInputs");
        other["arguments"] = json!({});
        refused(&people[0].ask("tools/call", other).await, "another tool");
    }
    let mut flipped = state.clone().into_bytes();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    for forged in [
        flipped,
        format!("{state}AA"),
        state[4..].to_owned(),
        "e30".to_owned(),
        String::new(),
    ] {
        let answer = people[0].ask("tools/call", params(Some(&forged), guests())).await;
        refused(&answer, &forged);
    }
    // What was refused did no harm.
    asked(
        &people[0].ask("tools/call", params(Some(&state), guests())).await,
        "dish",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_expires() {
    let stack = start(one_edge().setting("REQUEST_STATE_SECS", "1")).await;
    let modern = Modern::new(&stack.url("/mcp"), None);
    let state = first(&modern).await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let answer = modern.ask("tools/call", params(Some(&state), guests())).await;
        if answer.status == 400 {
            assert_eq!(answer.error_code(), -32602);
            assert!(answer.text().contains("expired"), "{}", answer.text());
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "it does not expire");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Two stacks stand for one before and after its keys were changed: all that a state needs is the key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate() {
    let before = start(one_edge().setting("REQUEST_STATE_KEYS", OLD)).await;
    let state = first(&Modern::new(&before.url("/mcp"), None)).await;
    let both = format!("{NEW},{OLD}");
    let rotated = start(one_edge().setting("REQUEST_STATE_KEYS", &both)).await;
    let modern = Modern::new(&rotated.url("/mcp"), None);
    let (_, newer) = asked(
        &modern.ask("tools/call", params(Some(&state), guests())).await,
        "dish",
    );
    // The new key seals: who has only the old one cannot open.
    let dish = || Some(("dish", json!({ "dish": "chili" })));
    let old = Modern::new(&before.url("/mcp"), None);
    let refused = old.ask("tools/call", params(Some(&newer), dish())).await;
    assert_eq!((refused.status, refused.error_code()), (400, -32602));
    asked(
        &modern.ask("tools/call", params(Some(&newer), dish())).await,
        "confirm",
    );
}
