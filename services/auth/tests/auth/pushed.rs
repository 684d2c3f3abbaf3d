//! Pushed authorization requests (RFC 9126).

use everything_proto::auth::v1::begin_authorization_response::Outcome;
use everything_proto::auth::v1::{self as proto};
use serde_json::json;

use crate::harness::*;

async fn push(
    stack: &mut Stack,
    request: &[(&str, &str)],
    basic: Option<(&str, &str)>,
) -> Result<proto::PushedAuthorization, String> {
    let request = proto::BeginAuthorizationRequest {
        parameters: parameters(request),
        pushed: true,
        client_authentication: basic.map(basic_credentials),
        ..Default::default()
    };
    match stack
        .second()
        .begin_authorization(request)
        .await
        .unwrap()
        .into_inner()
        .outcome
        .unwrap()
    {
        Outcome::Pushed(pushed) => Ok(pushed),
        Outcome::Error(error) => Err(error.error),
        other => panic!("{other:?}"),
    }
}

on_both_stores! {
    async fn a_pushed_request_is_begun_by_reference(stack) {
        let client_id = stack.public_client().await;
        let pushed = push(stack, &authorization_request(&client_id), None).await.unwrap();
        assert!(pushed.request_uri.starts_with("urn:ietf:params:oauth:request_uri:"));
        assert!((5..=600).contains(&pushed.expires_in_s));
        let by_reference = [("client_id", client_id.as_str()), ("request_uri", pushed.request_uri.as_str())];
        let response = stack.authorize_as("alice", &by_reference).await;
        assert_eq!(query(&response, "state").unwrap(), "client state & more");
        let code = query(&response, "code").unwrap();
        stack.exchange(&code_request(&client_id, &code)).await.unwrap();
    }

    async fn a_reference_is_for_its_client_and_overrides_the_query(stack) {
        let client_id = stack.public_client().await;
        let other = stack.public_client().await;
        let scoped = with(&authorization_request(&client_id), "scope", "mcp:tools");
        let pushed = push(stack, &scoped, None).await.unwrap();
        let uri = pushed.request_uri.as_str();
        for foreign in [
            vec![("client_id", other.as_str()), ("request_uri", uri)],
            vec![("request_uri", uri)],
            vec![("client_id", client_id.as_str()), ("request_uri", "urn:ietf:params:oauth:request_uri:guess")],
            vec![("client_id", client_id.as_str()), ("request_uri", "https://evil.example/request")],
        ] {
            assert!(matches!(stack.begin(&foreign, "").await, Outcome::ErrorPage(_)), "{foreign:?}");
        }
        let widened = [("client_id", client_id.as_str()), ("request_uri", uri), ("scope", "mcp:prompts")];
        assert_eq!(stack.consent(&widened).await.scopes, ["mcp:tools"]);
    }

    async fn flawed_requests_are_refused_when_they_are_pushed(stack) {
        let client_id = stack.public_client().await;
        let valid = authorization_request(&client_id);
        for (name, value, error) in [
            ("redirect_uri", "https://evil.example/", "invalid_request"),
            ("code_challenge", "", "invalid_request"),
            ("resource", "https://other.example/", "invalid_target"),
            ("client_id", "nobody", "invalid_client"),
            ("request_uri", "urn:ietf:params:oauth:request_uri:x", "invalid_request"),
        ] {
            assert_eq!(push(stack, &with(&valid, name, value), None).await.unwrap_err(), error, "{name}");
        }
    }

    async fn a_confidential_client_proves_who_it_is(stack) {
        let client = stack.register(json!({"redirect_uris": [REDIRECT]})).await.unwrap();
        let (id, secret) = (client["client_id"].as_str().unwrap(), client["client_secret"].as_str().unwrap());
        let request = authorization_request(id);
        assert_eq!(push(stack, &request, None).await.unwrap_err(), "invalid_client");
        assert_eq!(push(stack, &request, Some((id, "wrong"))).await.unwrap_err(), "invalid_client");
        push(stack, &request, Some((id, secret))).await.unwrap();
        push(stack, &with(&request, "client_secret", secret), None).await.unwrap();
    }
}
