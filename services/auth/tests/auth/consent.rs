//! Consent that is remembered.

use everything_auth::Config;
use everything_proto::auth::v1::begin_authorization_response::Outcome;
use serde_json::json;
use url::Url;

use crate::harness::*;

/// Where the browser is sent without being asked. `None`: it is asked.
async fn without_asking(stack: &mut Stack, request: &[(&str, &str)], browser: &str) -> Option<Url> {
    match stack.begin(request, browser).await {
        Outcome::Consent(_) => None,
        Outcome::Redirect(to) => {
            assert_eq!(to.browser_session, browser);
            Some(to.location.parse().unwrap())
        }
        other => panic!("{other:?}"),
    }
}

/// Logs in by the consent page; answers the browser's cookie.
async fn allow(stack: &mut Stack, user: &str, request: &[(&str, &str)]) -> String {
    let prompt = stack.consent(request).await;
    let browser = prompt.browser_session.clone();
    let page = stack.decide(&prompt, true, &browser).await.unwrap();
    let callback = stack.fake_login(&page, user).await;
    stack.callback(&callback, &browser).await.unwrap();
    browser
}

on_both_stores! {
    async fn a_user_is_asked_once_about_a_client(stack) {
        let client_id = stack.public_client().await;
        let request = authorization_request(&client_id);
        let browser = allow(stack, "alice", &request).await;
        let page = without_asking(stack, &request, &browser).await.unwrap();
        let callback = stack.fake_login(&page, "alice").await;
        let response = stack.callback(&callback, &browser).await.unwrap();
        let code = query(&response, "code").unwrap();
        let tokens = stack.exchange(&code_request(&client_id, &code)).await.unwrap();
        assert_eq!(stack.introspect(access(&tokens)).await.user_id, "alice");
        // Only from that browser, and only once.
        assert!(stack.callback(&callback, &browser).await.is_err());
        assert!(without_asking(stack, &request, "").await.is_none());
    }

    async fn more_or_other_things_are_asked_about(stack) {
        let client_id = stack.public_client().await;
        let other = stack.public_client().await;
        let request = with(&authorization_request(&client_id), "scope", "mcp:tools");
        let browser = allow(stack, "alice", &request).await;
        assert!(without_asking(stack, &request, &browser).await.is_some());
        assert!(without_asking(stack, &with(&request, "scope", "mcp:tools mcp:prompts"), &browser).await.is_none());
        assert!(without_asking(stack, &with(&request, "prompt", "consent"), &browser).await.is_none());
        assert!(without_asking(stack, &authorization_request(&other), &browser).await.is_none());
    }

    async fn another_user_is_asked(stack) {
        let client_id = stack.public_client().await;
        let request = authorization_request(&client_id);
        let browser = allow(stack, "alice", &request).await;
        let page = without_asking(stack, &request, &browser).await.unwrap();
        let callback = stack.fake_login(&page, "bob").await;
        let again = stack.callback(&callback, &browser).await.unwrap();
        // No code for bob, who allowed nothing: the consent page comes first.
        assert!(again.as_str().starts_with(&format!("{BASE}/authorize?")), "{again}");
        let reference: Vec<(String, String)> = again.query_pairs().into_owned().collect();
        let reference: Vec<(&str, &str)> = reference.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let prompt = match stack.begin(&reference, &browser).await {
            Outcome::Consent(prompt) => prompt,
            other => panic!("{other:?}"),
        };
        let page = stack.decide(&prompt, true, &browser).await.unwrap();
        let callback = stack.fake_login(&page, "bob").await;
        let response = stack.callback(&callback, &browser).await.unwrap();
        assert_eq!(query(&response, "state").unwrap(), "client state & more");
        let code = query(&response, "code").unwrap();
        let tokens = stack.exchange(&code_request(&client_id, &code)).await.unwrap();
        assert_eq!(stack.introspect(access(&tokens)).await.user_id, "bob");
    }

    async fn a_denial_is_remembered_by_asking_again(stack) {
        let client_id = stack.public_client().await;
        let request = authorization_request(&client_id);
        let browser = allow(stack, "alice", &request).await;
        let asked = with(&request, "prompt", "consent");
        let prompt = match stack.begin(&asked, &browser).await {
            Outcome::Consent(prompt) => prompt,
            other => panic!("{other:?}"),
        };
        stack.decide(&prompt, false, &browser).await.unwrap();
        assert!(without_asking(stack, &request, &browser).await.is_none());
    }

    async fn programs_on_the_users_machine_are_asked_about_each_time(stack) {
        let local = "http://127.0.0.1:5555/callback";
        let metadata = json!({"redirect_uris": [local], "token_endpoint_auth_method": "none"});
        let client = stack.register(metadata).await.unwrap();
        let client_id = client["client_id"].as_str().unwrap();
        let request = with(&authorization_request(client_id), "redirect_uri", local);
        let browser = allow(stack, "alice", &request).await;
        assert!(without_asking(stack, &request, &browser).await.is_none());
    }
}

#[tokio::test]
async fn the_memory_can_be_switched_off() {
    let mut stack = Stack::memory_with(Config {
        consent_ttl_s: 0,
        ..Config::default()
    })
    .await;
    let client_id = stack.public_client().await;
    let request = authorization_request(&client_id);
    let browser = allow(&mut stack, "alice", &request).await;
    assert!(without_asking(&mut stack, &request, &browser).await.is_none());
}
