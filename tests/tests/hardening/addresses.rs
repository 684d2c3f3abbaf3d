//! Whose address counts: reference failure 20, where anybody's `X-Forwarded-For` was believed.

use std::collections::BTreeMap;

use serde_json::json;
use system_tests::{REDIRECT_URI, Stack};

use super::wire::{Body, Request, client};

const LIMIT: usize = 5;

async fn stack(trusted: &str) -> Stack {
    Stack::builder()
        .processes()
        .redis()
        .edges(2)
        .setting("RATE_LIMIT_REGISTER", &LIMIT.to_string())
        .setting("RATE_LIMIT_LOOPBACK", "true")
        .setting("TRUSTED_PROXIES", trusted)
        .start()
        .await
        .unwrap()
}

/// Registers a client at each edge in turn, with these headers; how often each status came.
async fn register(stack: &Stack, times: usize, forwarded: impl Fn(usize) -> String) -> BTreeMap<u16, usize> {
    let client = client();
    let mut statuses = BTreeMap::new();
    for number in 0..times {
        let metadata = json!({ "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none" });
        let mut request = Request::new(http::Method::POST, "/register")
            .with("content-type", "application/json")
            .with("x-forwarded-for", forwarded(number));
        request.body = Body::Whole(metadata.to_string().into_bytes());
        let answer = request.send(&client, &stack.edge_url(number % 2, "")).await;
        if answer.status == 429 {
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
        }
        *statuses.entry(answer.status).or_default() += 1;
    }
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_anybody_claims_are_not_believed() {
    let stack = stack("").await;
    // Twice the limit and one, so that it is passed even where a new minute begins.
    let statuses = register(&stack, 2 * LIMIT + 1, |number| format!("203.0.113.{number}")).await;
    assert!(statuses[&201] <= 2 * LIMIT && statuses[&429] >= 1, "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_a_trusted_proxy_saw_are_believed_and_no_others() {
    let stack = stack("127.0.0.1").await;
    let many = register(&stack, 2 * LIMIT + 1, |number| format!("203.0.113.{number}")).await;
    assert_eq!(many, BTreeMap::from([(201, 2 * LIMIT + 1)]));
    // What the client itself wrote stands before what the proxy saw.
    let one = register(&stack, 2 * LIMIT + 1, |number| {
        format!("127.0.0.1, 10.0.0.{number}, 198.51.100.7")
    })
    .await;
    assert!(one[&201] <= 2 * LIMIT && one[&429] >= 1, "{one:?}");
}
