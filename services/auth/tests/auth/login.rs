use everything_proto::auth::v1::MetadataRequest;
use serde_json::{Value, json};

use crate::harness::*;

on_both_stores! {
    async fn a_login_ends_with_a_token_for_user_client_and_resource(stack) {
        let client_id = stack.public_client().await;
        let response = stack.authorize_as("alice", &authorization_request(&client_id)).await;
        assert!(response.as_str().starts_with("https://app.example/callback?code="), "{response}");
        assert_eq!(query(&response, "state").unwrap(), "client state & more");
        assert_eq!(query(&response, "iss").unwrap(), BASE);

        let code = query(&response, "code").unwrap();
        let tokens = stack.exchange(&code_request(&client_id, &code)).await.unwrap();
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], 3600);
        assert_eq!(tokens["scope"], "mcp:tools mcp:resources mcp:prompts");
        // 256 bit are 43 characters of base64url.
        assert!(access(&tokens).len() >= 43 && refresh(&tokens).len() >= 43);

        let active = stack.introspect(access(&tokens)).await;
        assert!(active.active);
        assert_eq!((active.user_id.as_str(), &active.client_id), ("alice", &client_id));
        assert_eq!(active.scopes, ["mcp:tools", "mcp:resources", "mcp:prompts"]);
        assert_eq!(active.audience, [RESOURCE]);
        assert_eq!(active.issuer, BASE);
        assert_eq!(active.token_type, "Bearer");
        assert_eq!(active.expires_at - active.issued_at, 3600);
    }

    async fn the_consent_page_shows_what_is_asked_for(stack) {
        let client_id = stack.public_client().await;
        let asked = with(&authorization_request(&client_id), "scope", "openid mcp:prompts mcp:tools");
        let prompt = stack.consent(&asked).await;
        assert_eq!(prompt.client_name, "test client");
        assert_eq!(prompt.redirect_host, "app.example");
        assert!(!prompt.loopback_redirect);
        assert_eq!(prompt.scopes, ["mcp:tools", "mcp:prompts"]);
        assert_eq!(prompt.resource, RESOURCE);
        assert!(prompt.browser_session.len() >= 43 && prompt.csrf_token.len() >= 43);
    }

    async fn a_native_client_may_listen_on_any_loopback_port(stack) {
        let client = stack
            .register(json!({
                "redirect_uris": ["http://127.0.0.1/callback", "http://localhost:8080/callback"],
                "token_endpoint_auth_method": "none",
            }))
            .await
            .unwrap();
        let client_id = client["client_id"].as_str().unwrap();
        for uri in ["http://127.0.0.1:49152/callback", "http://localhost:49152/callback"] {
            let asked = with(&authorization_request(client_id), "redirect_uri", uri);
            let prompt = stack.consent(&asked).await;
            assert!(prompt.loopback_redirect);
            let response = stack.authorize_as("alice", &asked).await;
            assert!(response.as_str().starts_with(uri), "{response}");
        }
    }

    async fn denying_sends_the_client_an_error_with_state_and_iss(stack) {
        let client_id = stack.public_client().await;
        let prompt = stack.consent(&authorization_request(&client_id)).await;
        let response = stack.decide(&prompt, false, &prompt.browser_session).await.unwrap();
        assert_eq!(query(&response, "error").unwrap(), "access_denied");
        assert_eq!(query(&response, "state").unwrap(), "client state & more");
        assert_eq!(query(&response, "iss").unwrap(), BASE);
        // The decision stands.
        assert!(stack.decide(&prompt, true, &prompt.browser_session).await.is_err());
    }

    async fn a_double_click_on_allow_goes_on_with_one_login(stack) {
        let client_id = stack.public_client().await;
        let prompt = stack.consent(&authorization_request(&client_id)).await;
        let browser = prompt.browser_session.clone();
        let first = stack.decide(&prompt, true, &browser).await.unwrap();
        let second = stack.decide(&prompt, true, &browser).await.unwrap();
        assert_eq!(first, second);
        let callback = stack.fake_login(&second, "alice").await;
        stack.callback(&callback, &browser).await.unwrap();
        // Back to the consent page after the login is over: a page, no second code.
        assert!(stack.decide(&prompt, true, &browser).await.is_err());
        assert!(stack.decide(&prompt, false, &browser).await.is_err());
    }

    async fn tabs_of_one_browser_share_its_cookie(stack) {
        let client_id = stack.public_client().await;
        let first = stack.consent(&authorization_request(&client_id)).await;
        let request = authorization_request(&client_id);
        let second = match stack.begin(&request, &first.browser_session).await {
            everything_proto::auth::v1::begin_authorization_response::Outcome::Consent(prompt) => prompt,
            other => panic!("{other:?}"),
        };
        assert_eq!(first.browser_session, second.browser_session);
        assert_ne!(first.transaction, second.transaction);
        stack.decide(&first, true, &second.browser_session).await.unwrap();
        stack.decide(&second, true, &second.browser_session).await.unwrap();
    }

    async fn the_documents_name_every_endpoint(stack) {
        let metadata = stack.first().metadata(MetadataRequest {}).await.unwrap().into_inner();
        assert_eq!((metadata.issuer.as_str(), metadata.resource.as_str()), (BASE, RESOURCE));
        let server: Value = serde_json::from_slice(&metadata.authorization_server_json).unwrap();
        assert_eq!(server["issuer"], BASE);
        for (name, path) in [
            ("authorization_endpoint", "/authorize"),
            ("token_endpoint", "/token"),
            ("registration_endpoint", "/register"),
            ("revocation_endpoint", "/revoke"),
            ("introspection_endpoint", "/introspect"),
        ] {
            assert_eq!(server[name], format!("{BASE}{path}"));
        }
        assert_eq!(server["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(server["authorization_response_iss_parameter_supported"], true);
        let resource: Value = serde_json::from_slice(&metadata.protected_resource_json).unwrap();
        assert_eq!(resource["resource"], RESOURCE);
        assert_eq!(resource["authorization_servers"], json!([BASE]));
    }
}
