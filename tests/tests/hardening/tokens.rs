//! Codes and tokens that are used twice, at once, or by somebody else, at two edges on one Redis.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::Value;
use system_tests::{Browser, REDIRECT_URI, Stack, Tokens};
use url::Url;

use super::{discretion::assert_discreet, wire::client};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

async fn stack() -> Stack {
    Stack::builder()
        .in_process()
        .redis()
        .edges(2)
        .start()
        .await
        .unwrap()
}

async fn post(url: &str, form: &[(&str, &str)]) -> (u16, Value) {
    let answer = client().post(url).form(form).send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    assert_discreet(&text);
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// Sends the same form many times at once, to both edges in turn.
async fn at_once(stack: &Stack, path: &str, form: &[(&str, &str)]) -> BTreeMap<u16, Vec<Value>> {
    let sent = (0..20).map(|number| {
        let url = stack.edge_url(number % 2, path);
        async move { post(&url, form).await }
    });
    let mut answers: BTreeMap<u16, Vec<Value>> = BTreeMap::new();
    for (status, answer) in join_all(sent).await {
        answers.entry(status).or_default().push(answer);
    }
    answers
}

async fn is_taken(stack: &Stack, token: &str) -> bool {
    let ping = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let answer = client()
        .post(stack.edge_url(1, "/mcp"))
        .bearer_auth(token)
        .header("accept", "application/json, text/event-stream")
        .json(&ping)
        .send()
        .await
        .unwrap();
    // 400: it has no session, which only a known user is told.
    match answer.status().as_u16() {
        400 => true,
        401 => false,
        status => panic!("neither taken nor refused: {status}"),
    }
}

async fn log_in(stack: &Stack) -> Tokens {
    let mut browser = Browser::of("alice").unwrap();
    browser.log_in(&stack.url("/mcp")).await.unwrap()
}

/// Reference failure 30: one code redeemed 20 times at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_redeemed_once() {
    let stack = stack().await;
    let client_id = log_in(&stack).await.client_id;
    let resource = stack.url("/mcp");
    let mut url: Url = stack.url("/authorize").parse().unwrap();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &client_id)
        .append_pair("redirect_uri", REDIRECT_URI)
        .append_pair("state", "s")
        .append_pair("code_challenge", CHALLENGE)
        .append_pair("code_challenge_method", "S256")
        .append_pair("resource", &resource);
    let back = Browser::of("bob").unwrap().follow(url).await.unwrap();
    let code = back
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1
        .into_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
        ("client_id", &client_id),
        ("code_verifier", VERIFIER),
        ("resource", &resource),
    ];
    let answers = at_once(&stack, "/token", &form).await;
    assert_eq!(
        answers.keys().copied().collect::<Vec<_>>(),
        [200, 400],
        "{answers:?}"
    );
    assert_eq!((answers[&200].len(), answers[&400].len()), (1, 19), "{answers:?}");
    assert!(
        answers[&400]
            .iter()
            .all(|answer| answer["error"] == "invalid_grant"),
        "{answers:?}"
    );
    // RFC 6749 section 4.1.2: a code used twice has leaked, and so may what it gave.
    let token = answers[&200][0]["access_token"].as_str().unwrap();
    assert!(
        !is_taken(&stack, token).await,
        "a code used twice still opens the door"
    );
}

/// Reference failure 29: a refresh token used again, and 20 times at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_used_again_ends_its_family() {
    let stack = stack().await;
    let tokens = log_in(&stack).await;
    let refresh = tokens.refresh_token.clone().unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
        ("client_id", &tokens.client_id),
    ];
    assert!(is_taken(&stack, &tokens.access_token).await);
    let answers = at_once(&stack, "/token", &form).await;
    let good = answers.get(&200).map_or(0, Vec::len);
    assert!(good <= 1, "{good} refreshes with one token");
    assert_eq!(
        answers.values().map(Vec::len).sum::<usize>() - good,
        answers[&400].len(),
        "{answers:?}"
    );
    for token in answers.get(&200).into_iter().flatten() {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token["refresh_token"].as_str().unwrap()),
            ("client_id", &tokens.client_id),
        ];
        let (status, answer) = post(&stack.edge_url(0, "/token"), &form).await;
        assert_eq!(
            (status, &answer["error"]),
            (400, &"invalid_grant".into()),
            "the family lives: {answer}"
        );
        assert!(!is_taken(&stack, token["access_token"].as_str().unwrap()).await);
    }
}

/// Reference failure 31: revoking the refresh token ends the access token; nobody revokes what is another client's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_revoked_by_their_client_alone() {
    let stack = stack().await;
    let (hers, his) = (log_in(&stack).await, log_in(&stack).await);
    let refresh = hers.refresh_token.clone().unwrap();
    for token in [&hers.access_token, &refresh] {
        let form = [("token", token.as_str()), ("client_id", &his.client_id)];
        let (status, _) = post(&stack.edge_url(0, "/revoke"), &form).await;
        assert!(status < 500, "{status}");
        assert!(
            is_taken(&stack, &hers.access_token).await,
            "another client revoked it"
        );
    }
    let form = [("token", refresh.as_str()), ("client_id", &hers.client_id)];
    assert_eq!(post(&stack.edge_url(0, "/revoke"), &form).await.0, 200);
    super::faults::until(
        "the other edge knows",
        std::time::Duration::from_secs(2),
        || async {
            if is_taken(&stack, &hers.access_token).await {
                Err("still taken".to_owned())
            } else {
                Ok(())
            }
        },
    )
    .await;
    assert!(is_taken(&stack, &his.access_token).await);
}

/// Reference failure 32: nobody introspects without being known, and a token is good for what it was asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_do_not_introspect_and_other_resources_are_refused() {
    let stack = stack().await;
    let tokens = log_in(&stack).await;
    let introspect = stack.edge_url(0, "/introspect");
    for form in [
        vec![("token", tokens.access_token.as_str())],
        vec![("token", tokens.access_token.as_str()), ("client_id", "nobody")],
    ] {
        let (status, answer) = post(&introspect, &form).await;
        assert!(matches!(status, 400 | 401), "{status} {answer}");
        assert_ne!(answer["active"], true);
    }
    let refresh = tokens.refresh_token.clone().unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
        ("client_id", &tokens.client_id),
        ("resource", "https://another.example/mcp"),
    ];
    let (status, answer) = post(&stack.edge_url(0, "/token"), &form).await;
    assert_eq!(
        (status, &answer["error"]),
        (400, &"invalid_target".into()),
        "{answer}"
    );
}
