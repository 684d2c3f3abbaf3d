//! Rounds of tools, prompts and resources alike: each lands on another edge and another replica of the feature service.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::{Browser, Builder, FeatureKind, Stack, client::Response};
use tokio::time::{Instant, sleep};

use super::client::Modern;

const PATIENCE: Duration = Duration::from_secs(30);

/// Something that asks, and what it is answered, round for round.
struct Asking {
    method: &'static str,
    params: Value,
    /// Other requests of the same kind, which would be served.
    others: [Value; 2],
    answers: Vec<(&'static str, Value)>,
    /// What the result says at the end.
    end: &'static str,
}

fn all_kinds() -> [Asking; 3] {
    [
        Asking {
            method: "tools/call",
            params: json!({ "name": "test_input_required_result_multi_round", "arguments": {} }),
            others: [
                json!({ "name": "test_input_required_result_multi_round", "arguments": { "a": 1 } }),
                json!({ "name": "test_simple_text", "arguments": {} }),
            ],
            answers: vec![
                ("step1", json!({ "name": "Ada" })),
                ("step2", json!({ "color": "red" })),
            ],
            end: "Ada's favorite color is red.",
        },
        Asking {
            method: "prompts/get",
            params: json!({ "name": "test_input_required_result_prompt" }),
            others: [
                json!({ "name": "test_input_required_result_prompt", "arguments": { "a": "b" } }),
                json!({ "name": "test_simple_prompt" }),
            ],
            answers: vec![("user_context", json!({ "context": "a party" }))],
            end: "Use this context: a party",
        },
        Asking {
            method: "resources/read",
            params: json!({ "uri": "test://guarded-resource" }),
            others: [
                json!({ "uri": "test://static-text" }),
                json!({ "uri": "test://template/1/data" }),
            ],
            answers: vec![
                ("who", json!({ "name": "Ada" })),
                ("why", json!({ "reason": "fun" })),
            ],
            end: "Read by Ada: fun",
        },
    ]
}

impl Asking {
    /// One round: the first one without state, the others with the answer to what the round before asked.
    fn round(&self, number: usize, state: Option<&str>) -> Value {
        let mut params = self.params.clone();
        if let Some(state) = state {
            let (key, content) = &self.answers[number - 1];
            params["requestState"] = json!(state);
            params["inputResponses"] = json!({ *key: { "action": "accept", "content": content } });
        }
        params
    }

    /// The state of a round that asks; none of the last one, which must be the end.
    fn next(&self, number: usize, response: &Response) -> Option<String> {
        assert_eq!(response.status, 200, "{}", response.text());
        let result = response.result().unwrap();
        let Some((key, _)) = self.answers.get(number) else {
            assert_eq!(result["resultType"], "complete", "{result}");
            assert!(result.to_string().contains(self.end), "{result}");
            // What answers brought about must not be cached.
            let cacheable = self.method == "resources/read";
            assert_eq!(
                result.get("ttlMs"),
                cacheable.then(|| json!(0)).as_ref(),
                "{result}"
            );
            return None;
        };
        assert_eq!(result["resultType"], "input_required", "{result}");
        assert!(result["inputRequests"][*key].is_object(), "{result}");
        Some(result["requestState"].as_str().unwrap().to_owned())
    }
}

fn split() -> Builder {
    let stack = Stack::builder().processes().redis().edges(2).replicas(2);
    stack.feature(FeatureKind::Conformance)
}

/// The answer, as soon as the stack has got over what was done to it. Rounds can be sent again.
async fn answered(modern: &Modern, method: &str, params: &Value) -> Response {
    let until = Instant::now() + PATIENCE;
    loop {
        let request = modern.prepare(&json!(1), method, &super::client::with_meta(params.clone()));
        let answer = match request.send().await {
            Ok(response) => Response::read(response).await.unwrap(),
            Err(error) => {
                assert!(Instant::now() < until, "{error}");
                sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        // The proxy says 502 where an edge is not there.
        if !matches!(answer.status, 502 | 503) {
            return answer;
        }
        assert!(Instant::now() < until, "{}", answer.text());
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_round_meets_the_edge_or_the_replica_of_the_one_before() {
    let mut stack = split().auth_disabled().start().await.unwrap();
    let edges = [0, 1].map(|edge| Modern::new(&stack.edge_url(edge, "/mcp"), None));
    let mut turn = 0;
    for asking in all_kinds() {
        let mut state = None;
        for number in 0..=asking.answers.len() {
            // Only this replica is there, and it is new.
            stack.kill(&format!("feature-{}", 1 - turn % 2)).unwrap();
            stack.restart(&format!("feature-{}", turn % 2)).unwrap();
            let params = asking.round(number, state.as_deref());
            let response = answered(&edges[turn % 2], asking.method, &params).await;
            state = asking.next(number, &response);
            turn += 1;
        }
        assert_eq!(state, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rounds_go_on_when_everything_was_started_again() {
    let mut stack = split().auth_disabled().start().await.unwrap();
    let modern = Modern::new(&stack.url("/mcp"), None);
    let mut states = Vec::new();
    for asking in all_kinds() {
        let response = modern.ask(asking.method, asking.round(0, None)).await;
        states.push(asking.next(0, &response).unwrap());
    }
    let parts: Vec<String> = stack.pids().into_iter().map(|(name, _)| name).collect();
    for part in &parts {
        stack.kill(part).unwrap();
    }
    for part in &parts {
        stack.restart(part).unwrap();
    }
    for (asking, state) in all_kinds().iter().zip(states) {
        let mut state = Some(state);
        for number in 1..=asking.answers.len() {
            let params = asking.round(number, state.as_deref());
            state = asking.next(number, &answered(&modern, asking.method, &params).await);
        }
    }
}

/// As people do it: one edge after the other, the new key first and the old one until nothing of it is around.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_replaced_between_two_rounds() {
    const OLD: &str = "the key that sealed what is still around";
    const NEW: &str = "the key that seals from now on as it were";
    let stack = split().auth_disabled().setting("REQUEST_STATE_KEYS", OLD);
    let mut stack = stack.start().await.unwrap();
    let edges = [0, 1].map(|edge| Modern::new(&stack.edge_url(edge, "/mcp"), None));
    for asking in all_kinds() {
        stack.set("edge-0", "REQUEST_STATE_KEYS", OLD).unwrap();
        stack.restart("edge-0").unwrap();
        let first = answered(&edges[0], asking.method, &asking.round(0, None)).await;
        let state = asking.next(0, &first).unwrap();
        stack
            .set("edge-1", "REQUEST_STATE_KEYS", &format!("{NEW},{OLD}"))
            .unwrap();
        stack.restart("edge-1").unwrap();
        let params = asking.round(1, Some(&state));
        let second = answered(&edges[1], asking.method, &params).await;
        let newer = asking.next(1, &second);
        // The old one is gone, and what it sealed with it.
        stack.set("edge-0", "REQUEST_STATE_KEYS", NEW).unwrap();
        stack.restart("edge-0").unwrap();
        let refused = answered(&edges[0], asking.method, &params).await;
        assert_eq!((refused.status, refused.error_code()), (400, -32602));
        if let Some(newer) = newer {
            let third = answered(&edges[0], asking.method, &asking.round(2, Some(&newer))).await;
            assert_eq!(asking.next(2, &third), None);
        }
    }
}

fn assert_refused(response: &Response, what: &str, asking: &Asking) {
    let refused = (response.status, response.error_code());
    assert_eq!(refused, (400, -32602), "{what} {}", asking.method);
    assert!(response.text().contains("requestState"), "{}", response.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_expires_whatever_its_kind() {
    let stack = Stack::builder().processes().redis().auth_disabled();
    let stack = stack.feature(FeatureKind::Conformance);
    let stack = stack.setting("REQUEST_STATE_SECS", "1").start().await.unwrap();
    let modern = Modern::new(&stack.url("/mcp"), None);
    let mut given = Vec::new();
    for asking in all_kinds() {
        let response = modern.ask(asking.method, asking.round(0, None)).await;
        given.push((asking.next(0, &response).unwrap(), asking));
    }
    for (state, asking) in given {
        let until = Instant::now() + PATIENCE;
        loop {
            let response = modern.ask(asking.method, asking.round(1, Some(&state))).await;
            if response.status != 200 {
                assert_refused(&response, "expired", &asking);
                assert!(response.text().contains("expired"), "{}", response.text());
                break;
            }
            // It was good until then.
            asking.next(1, &response);
            assert!(
                Instant::now() < until,
                "that of {} does not expire",
                asking.method
            );
            sleep(Duration::from_millis(50)).await;
        }
        // The next one is as good as the first was.
        let response = modern.ask(asking.method, asking.round(0, None)).await;
        asking.next(0, &response).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_is_for_one_user_and_one_request_whatever_its_kind() {
    let stack = Stack::builder().in_process().feature(FeatureKind::Conformance);
    let stack = stack.start().await.unwrap();
    let url = stack.url("/mcp");
    let mut people = Vec::new();
    for user in ["ada", "eve"] {
        let tokens = Browser::of(user).unwrap().log_in(&url).await.unwrap();
        people.push(Modern::new(&url, Some(&tokens.access_token)));
    }
    let (ada, eve) = (&people[0], &people[1]);
    let kinds = all_kinds();
    for asking in &kinds {
        let response = ada.ask(asking.method, asking.round(0, None)).await;
        let state = asking.next(0, &response).unwrap();
        let refused = async |who: &Modern, of: &Asking, state: &str, what: &str| {
            let response = who.ask(of.method, of.round(1, Some(state))).await;
            assert_refused(&response, what, asking);
        };
        refused(eve, asking, &state, "somebody else's").await;
        for other in kinds.iter().filter(|other| other.method != asking.method) {
            refused(ada, other, &state, "of another request").await;
        }
        for other in &asking.others {
            let alone = ada.ask(asking.method, other.clone()).await;
            assert_eq!(alone.status, 200, "{other}: {}", alone.text());
            let mut params = asking.round(1, Some(&state));
            for (name, value) in other.as_object().unwrap() {
                params[name] = value.clone();
            }
            let response = ada.ask(asking.method, params).await;
            assert_refused(&response, "of another request of the kind", asking);
        }
        let mut tampered = state.clone();
        let last = if tampered.pop() == Some('A') { 'Q' } else { 'A' };
        tampered.push(last);
        refused(ada, asking, &tampered, "changed").await;
        refused(ada, asking, &state[..state.len() / 2], "cut off").await;
        // Invalid or missing answers are asked for again, in words of the same question.
        for answer in [
            json!({}),
            json!({ asking.answers[0].0: { "action": "accept", "content": 7 } }),
        ] {
            let mut params = asking.round(1, Some(&state));
            params["inputResponses"] = answer;
            asking.next(0, &ada.ask(asking.method, params).await).unwrap();
        }
        let good = ada.ask(asking.method, asking.round(1, Some(&state))).await;
        asking.next(1, &good);
    }
}
