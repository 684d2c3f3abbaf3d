//! The token endpoint.

use std::time::Duration;

use everything_proto::auth::v1::{self as proto, introspect_request::Caller};
use serde_json::json;

use crate::harness::*;

on_both_stores! {
    async fn a_code_needs_its_verifier_its_client_and_its_redirect(stack) {
        let client_id = stack.public_client().await;
        let other = stack.public_client().await;
        let code = stack.code(&client_id, "alice").await;
        let valid = code_request(&client_id, &code);
        for (name, value, error) in [
            ("code_verifier", "", "invalid_request"),
            ("code_verifier", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "invalid_grant"),
            ("redirect_uri", "https://app.example/other", "invalid_grant"),
            ("client_id", other.as_str(), "invalid_grant"),
            ("client_id", "nobody", "invalid_client"),
            ("client_id", "", "invalid_client"),
            ("client_secret", "surplus", "invalid_client"),
            ("code", "invented", "invalid_grant"),
            ("code", "", "invalid_request"),
            ("grant_type", "password", "unsupported_grant_type"),
            ("grant_type", "client_credentials", "unauthorized_client"),
            ("grant_type", "", "invalid_request"),
            ("resource", "https://other.example/mcp", "invalid_target"),
        ] {
            let refused = stack.exchange(&with(&valid, name, value)).await.unwrap_err();
            assert_eq!(refused.error, error, "{name}={value}");
        }
        // None of that spoiled the code for its owner.
        stack.exchange(&valid).await.unwrap();
    }

    async fn a_repeated_parameter_is_refused(stack) {
        let client_id = stack.public_client().await;
        let code = stack.code(&client_id, "alice").await;
        let mut request = code_request(&client_id, &code);
        request.push(("code", "again"));
        assert_eq!(stack.exchange(&request).await.unwrap_err().error, "invalid_request");
    }

    async fn a_second_use_of_a_code_revokes_what_the_first_got(stack) {
        let client_id = stack.public_client().await;
        let code = stack.code(&client_id, "alice").await;
        let tokens = stack.exchange(&code_request(&client_id, &code)).await.unwrap();
        assert!(stack.is_active(&tokens).await);
        let again = stack.exchange(&code_request(&client_id, &code)).await.unwrap_err();
        assert_eq!(again.error, "invalid_grant");
        assert!(!stack.is_active(&tokens).await);
        assert_eq!(stack.refresh(&client_id, refresh(&tokens)).await.unwrap_err().error, "invalid_grant");
    }

    async fn refreshing_rotates(stack) {
        let client_id = stack.public_client().await;
        let first = stack.log_in(&client_id, "alice").await;
        let second = stack.refresh(&client_id, refresh(&first)).await.unwrap();
        assert_ne!(refresh(&first), refresh(&second));
        assert!(stack.is_active(&second).await);
        let active = stack.introspect(access(&second)).await;
        assert_eq!((active.user_id.as_str(), &active.client_id), ("alice", &client_id));
        let third = stack.refresh(&client_id, refresh(&second)).await.unwrap();
        assert!(stack.is_active(&third).await);
    }

    /// Reference failure 29.
    async fn reuse_of_a_rotated_refresh_token_revokes_the_family(stack) {
        let client_id = stack.public_client().await;
        let first = stack.log_in(&client_id, "alice").await;
        let second = stack.refresh(&client_id, refresh(&first)).await.unwrap();
        let stolen = stack.refresh(&client_id, refresh(&first)).await.unwrap_err();
        assert_eq!(stolen.error, "invalid_grant");
        for tokens in [&first, &second] {
            assert!(!stack.is_active(tokens).await);
        }
        assert_eq!(stack.refresh(&client_id, refresh(&second)).await.unwrap_err().error, "invalid_grant");
    }

    async fn other_logins_survive_the_revocation_of_one(stack) {
        let client_id = stack.public_client().await;
        let one = stack.log_in(&client_id, "alice").await;
        let other = stack.log_in(&client_id, "alice").await;
        stack.refresh(&client_id, refresh(&one)).await.unwrap();
        stack.refresh(&client_id, refresh(&one)).await.unwrap_err();
        assert!(stack.is_active(&other).await);
    }

    async fn a_refresh_token_works_for_its_client_only_and_grants_no_more(stack) {
        let client_id = stack.public_client().await;
        let other = stack.public_client().await;
        let request = with(&authorization_request(&client_id), "scope", "mcp:tools mcp:prompts");
        let response = stack.authorize_as("alice", &request).await;
        let code = query(&response, "code").unwrap();
        let tokens = stack.exchange(&code_request(&client_id, &code)).await.unwrap();
        assert_eq!(tokens["scope"], "mcp:tools mcp:prompts");

        assert_eq!(stack.refresh(&other, refresh(&tokens)).await.unwrap_err().error, "invalid_grant");
        let base = refresh_request(&client_id, refresh(&tokens));
        let more = stack.exchange(&with(&base, "scope", "mcp:resources")).await.unwrap_err();
        assert_eq!(more.error, "invalid_scope");
        let elsewhere = stack.exchange(&with(&base, "resource", "https://other.example/")).await.unwrap_err();
        assert_eq!(elsewhere.error, "invalid_target");
        // Less is fine, and the refresh token keeps what was granted.
        let less = stack.exchange(&with(&base, "scope", "mcp:tools")).await.unwrap();
        assert_eq!(less["scope"], "mcp:tools");
        assert_eq!(stack.introspect(access(&less)).await.scopes, ["mcp:tools"]);
        let all = stack.refresh(&client_id, refresh(&less)).await.unwrap();
        assert_eq!(all["scope"], "mcp:tools mcp:prompts");
    }

    async fn a_client_with_a_secret_needs_it(stack) {
        let client = stack.register(json!({"redirect_uris": [REDIRECT]})).await.unwrap();
        let (id, secret) = (client["client_id"].as_str().unwrap(), client["client_secret"].as_str().unwrap());
        let code = stack.code(id, "alice").await;
        let request = code_request(id, &code);
        let auth = stack.second().clone();
        for (basic, in_body) in [(None, ""), (None, "wrong"), (Some((id, "wrong")), ""), (Some((id, "")), "")] {
            let refused = exchange(auth.clone(), &with(&request, "client_secret", in_body), basic).await.unwrap_err();
            assert_eq!(refused.error, "invalid_client", "{basic:?} {in_body}");
        }
        let both = exchange(auth.clone(), &with(&request, "client_secret", secret), Some((id, secret))).await;
        assert_eq!(both.unwrap_err().error, "invalid_request");
        let tokens = exchange(auth.clone(), &request, Some((id, secret))).await.unwrap();
        let posted = with(&refresh_request(id, refresh(&tokens)), "client_secret", secret);
        exchange(auth, &posted, None).await.unwrap();
    }

    /// Reference failure 32.
    async fn introspection_is_for_authenticated_callers_and_their_tokens(stack) {
        let public = stack.public_client().await;
        let tokens = stack.log_in(&public, "alice").await;
        let confidential = stack.register(json!({"redirect_uris": [REDIRECT]})).await.unwrap();
        let id = confidential["client_id"].as_str().unwrap();
        let secret = confidential["client_secret"].as_str().unwrap();
        let code = stack.code(id, "bob").await;
        let own = exchange(stack.second().clone(), &code_request(id, &code), Some((id, secret))).await.unwrap();
        let mut auth = stack.first().clone();
        let mut ask = async |token: &str, basic: Option<(&str, &str)>, form: &[(&str, &str)]| {
            let authentication = basic.map(basic_credentials).unwrap_or_default();
            let request = proto::IntrospectRequest {
                token: token.to_owned(),
                caller: Some(Caller::ClientAuthentication(authentication)),
                parameters: parameters(form),
                ..Default::default()
            };
            auth.introspect(request).await.unwrap().into_inner()
        };
        // Nobody, a wrong secret, and a client that cannot prove who it is.
        for (basic, form) in
            [(None, vec![]), (Some((id, "wrong")), vec![]), (None, vec![("client_id", public.as_str())])]
        {
            let answer = ask(access(&tokens), basic, &form).await;
            assert!(!answer.active);
            assert_eq!(answer.error.unwrap().error, "invalid_client");
            assert_eq!(answer.user_id, "");
        }
        // Somebody else's token is as good as unknown.
        assert!(!ask(access(&tokens), Some((id, secret)), &[]).await.active);
        assert!(!ask("invented", Some((id, secret)), &[]).await.active);
        assert!(ask(access(&own), Some((id, secret)), &[]).await.active);
        assert!(ask(refresh(&own), Some((id, secret)), &[]).await.active);
    }

    /// Reference failure 32.
    async fn a_token_is_refused_at_another_resource(stack) {
        let client_id = stack.public_client().await;
        let tokens = stack.log_in(&client_id, "alice").await;
        assert!(stack.introspect_at(access(&tokens), RESOURCE).await.active);
        for elsewhere in ["https://other.example/mcp", "http://localhost:3233/mcp", ""] {
            assert!(!stack.introspect_at(access(&tokens), elsewhere).await.active, "{elsewhere}");
        }
    }

    async fn only_access_tokens_open_the_resource(stack) {
        let client_id = stack.public_client().await;
        let tokens = stack.log_in(&client_id, "alice").await;
        let long = "x".repeat(100_000);
        for token in [refresh(&tokens), "", "invented", &long] {
            assert!(!stack.introspect(token).await.active);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn codes_and_tokens_expire() {
    let mut stack = Stack::memory_with_runtime_clock().await;
    let client_id = stack.public_client().await;
    let code = stack.code(&client_id, "alice").await;
    tokio::time::advance(Duration::from_secs(60)).await;
    let late = stack
        .exchange(&code_request(&client_id, &code))
        .await
        .unwrap_err();
    assert_eq!(late.error, "invalid_grant");

    let tokens = stack.log_in(&client_id, "alice").await;
    tokio::time::advance(Duration::from_secs(3599)).await;
    assert!(stack.is_active(&tokens).await);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(!stack.is_active(&tokens).await);

    // Seven days, each refresh anew.
    let day = Duration::from_secs(24 * 60 * 60);
    tokio::time::advance(6 * day).await;
    let second = stack.refresh(&client_id, refresh(&tokens)).await.unwrap();
    tokio::time::advance(6 * day).await;
    let third = stack.refresh(&client_id, refresh(&second)).await.unwrap();
    tokio::time::advance(7 * day).await;
    assert_eq!(
        stack
            .refresh(&client_id, refresh(&third))
            .await
            .unwrap_err()
            .error,
        "invalid_grant"
    );
}
