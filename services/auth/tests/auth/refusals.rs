//! Authorization requests, decisions and callbacks that are refused.

use everything_proto::auth::v1::begin_authorization_response::Outcome;
use url::Url;

use crate::harness::*;

/// The error that goes back to the client.
async fn redirected_error(stack: &mut Stack, request: &[(&str, &str)]) -> String {
    match stack.begin(request, "").await {
        Outcome::Redirect(to) => {
            let url: Url = to.location.parse().unwrap();
            assert!(to.location.starts_with(&format!("{REDIRECT}?error=")), "{url}");
            assert_eq!(query(&url, "iss").unwrap(), BASE);
            query(&url, "error").unwrap()
        }
        other => panic!("no redirect but {other:?}"),
    }
}

async fn is_error_page(stack: &mut Stack, request: &[(&str, &str)]) -> bool {
    matches!(stack.begin(request, "").await, Outcome::ErrorPage(page) if page.status == 400)
}

on_both_stores! {
    async fn an_unknown_client_or_redirect_gets_a_page_and_no_redirect(stack) {
        let client_id = stack.public_client().await;
        let valid = authorization_request(&client_id);
        assert!(is_error_page(stack, &with(&valid, "client_id", "nobody")).await);
        assert!(is_error_page(stack, &with(&valid, "client_id", "")).await);
        for uri in [
            "https://evil.example/callback",
            "https://app.example/callback/more",
            "https://app.example/callback?x=1",
            "https://app.example:443/callback",
            "https://app.example@evil.example/callback",
            "https://app.example/callback#x",
            "https://app.example/CALLBACK",
            "javascript:alert(1)",
            "//app.example/callback",
        ] {
            assert!(is_error_page(stack, &with(&valid, "redirect_uri", uri)).await, "{uri}");
        }
    }

    async fn a_flawed_request_goes_back_with_the_right_error(stack) {
        let client_id = stack.public_client().await;
        let valid = authorization_request(&client_id);
        for (name, value, error) in [
            ("response_type", "token", "unsupported_response_type"),
            ("response_type", "", "invalid_request"),
            ("response_mode", "fragment", "invalid_request"),
            ("code_challenge", "", "invalid_request"),
            ("code_challenge", "too-short", "invalid_request"),
            ("code_challenge_method", "", "invalid_request"),
            ("code_challenge_method", "plain", "invalid_request"),
            ("scope", "bogus", "invalid_scope"),
            ("resource", "https://other.example/mcp", "invalid_target"),
            ("request", "eyJhbGciOiJub25lIn0..", "request_not_supported"),
            ("prompt", "none", "consent_required"),
        ] {
            let request = with(&valid, name, value);
            assert_eq!(redirected_error(stack, &request).await, error, "{name}={value}");
        }
    }

    async fn a_repeated_parameter_is_refused(stack) {
        let client_id = stack.public_client().await;
        for name in ["state", "scope", "code_challenge", "code_challenge_method", "response_type"] {
            let mut request = authorization_request(&client_id);
            request.push((name, "again"));
            request.push((name, "again"));
            assert_eq!(redirected_error(stack, &request).await, "invalid_request", "{name}");
        }
        for name in ["client_id", "redirect_uri"] {
            let mut request = authorization_request(&client_id);
            request.push((name, "again"));
            assert!(is_error_page(stack, &request).await, "{name}");
        }
    }

    async fn consent_needs_its_browser_and_its_csrf_token(stack) {
        let client_id = stack.public_client().await;
        let prompt = stack.consent(&authorization_request(&client_id)).await;
        let stranger = stack.consent(&authorization_request(&client_id)).await.browser_session;
        for browser in ["", &stranger] {
            let page = stack.decide(&prompt, true, browser).await.unwrap_err();
            assert_eq!(page.status, 403);
        }
        let mut forged = prompt.clone();
        forged.csrf_token = "guess".to_owned();
        assert_eq!(stack.decide(&forged, true, &prompt.browser_session).await.unwrap_err().status, 400);
        let mut unknown = prompt.clone();
        unknown.transaction = "guess".to_owned();
        assert_eq!(stack.decide(&unknown, true, &prompt.browser_session).await.unwrap_err().status, 400);
        // None of that spoiled the honest decision.
        stack.decide(&prompt, true, &prompt.browser_session).await.unwrap();
    }

    /// Reference failure 26.
    async fn a_callback_with_an_unknown_state_gets_a_plain_page(stack) {
        for query in ["", "?state=unknown", "?state=unknown&code=x", "?state=a&state=a", "?code=x&error=access_denied"] {
            let url: Url = format!("{BASE}/fakeupstreamauth/redirect{query}").parse().unwrap();
            let page = stack.callback(&url, "").await.unwrap_err();
            assert_eq!(page.status, 400, "{query}");
            assert!(!page.message.is_empty());
        }
    }

    /// Reference failure 27.
    async fn a_forged_or_replayed_callback_logs_nobody_in(stack) {
        let client_id = stack.public_client().await;
        let prompt = stack.consent(&authorization_request(&client_id)).await;
        let browser = prompt.browser_session.clone();
        let page = stack.decide(&prompt, true, &browser).await.unwrap();
        let callback = stack.fake_login(&page, "alice").await;

        // Without the cookie, or with another browser's.
        let stranger = stack.consent(&authorization_request(&client_id)).await.browser_session;
        for other in ["", &stranger] {
            assert_eq!(stack.callback(&callback, other).await.unwrap_err().status, 403);
        }
        // The honest one still works, once.
        let response = stack.callback(&callback, &browser).await.unwrap();
        assert!(query(&response, "code").is_some());
        assert_eq!(stack.callback(&callback, &browser).await.unwrap_err().status, 400);
    }

    /// Reference failure 27: the user id comes from the provider, not from the browser.
    async fn a_callback_with_an_invented_code_names_nobody(stack) {
        let client_id = stack.public_client().await;
        let prompt = stack.consent(&authorization_request(&client_id)).await;
        let browser = prompt.browser_session.clone();
        let page = stack.decide(&prompt, true, &browser).await.unwrap();
        let state = query(&page, "state").unwrap();
        let forged: Url =
            format!("{BASE}/fakeupstreamauth/redirect?state={state}&code=mallory&userId=mallory").parse().unwrap();
        let response = stack.callback(&forged, &browser).await.unwrap();
        assert_eq!(query(&response, "error").unwrap(), "access_denied");
        assert_eq!(query(&response, "code"), None);
    }

    /// A code of one login cannot be injected into another: it is bound to the verifier of its own.
    async fn an_upstream_code_of_another_login_is_refused(stack) {
        let client_id = stack.public_client().await;
        let request = authorization_request(&client_id);
        let victim = stack.consent(&request).await;
        let victim_page = stack.decide(&victim, true, &victim.browser_session).await.unwrap();
        let victim_callback = stack.fake_login(&victim_page, "victim").await;

        let attacker = stack.consent(&request).await;
        let attacker_page = stack.decide(&attacker, true, &attacker.browser_session).await.unwrap();
        let mut injected = victim_callback.clone();
        injected
            .query_pairs_mut()
            .clear()
            .append_pair("code", &query(&victim_callback, "code").unwrap())
            .append_pair("state", &query(&attacker_page, "state").unwrap());
        let response = stack.callback(&injected, &attacker.browser_session).await.unwrap();
        assert_eq!(query(&response, "error").unwrap(), "access_denied");
    }

    /// Reference failure 28: what the client sent comes back encoded, to the registered address only.
    async fn state_comes_back_encoded(stack) {
        let client_id = stack.public_client().await;
        let hostile = "\"><script>alert(1)</script>&code=injected#\r\nSet-Cookie: x=y";
        let request = with(&authorization_request(&client_id), "state", hostile);
        let response = stack.authorize_as("alice", &request).await;
        assert_eq!(query(&response, "state").unwrap(), hostile);
        assert_ne!(query(&response, "code").unwrap(), "injected");
        assert_eq!(response.query_pairs().filter(|(name, _)| name == "code").count(), 1);
        assert!(!response.as_str().contains(['<', '>', '"', '\r', '\n']), "{response}");
        assert_eq!(response.fragment(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_expires() {
    let mut stack = Stack::memory_with_runtime_clock().await;
    let client_id = stack.public_client().await;
    let prompt = stack.consent(&authorization_request(&client_id)).await;
    tokio::time::advance(std::time::Duration::from_secs(601)).await;
    let page = stack
        .decide(&prompt, true, &prompt.browser_session)
        .await
        .unwrap_err();
    assert_eq!(page.title, "This login has expired");
}
