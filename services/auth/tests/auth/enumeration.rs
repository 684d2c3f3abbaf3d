//! What strangers learn by asking: nothing.

use everything_proto::auth::v1::introspect_request::Caller;
use everything_proto::auth::v1::{self as proto};
use serde_json::json;
use url::Url;

use crate::harness::*;

on_both_stores! {
    async fn an_unknown_client_and_a_wrong_secret_get_the_same_answer(stack) {
        let client = stack.register(json!({"redirect_uris": [REDIRECT]})).await.unwrap();
        let id = client["client_id"].as_str().unwrap();
        let form = [("grant_type", "authorization_code"), ("code", "x"), ("code_verifier", VERIFIER)];
        let auth = stack.second().clone();
        let wrong = exchange(auth.clone(), &form, Some((id, "guess"))).await.unwrap_err();
        let unknown = exchange(auth.clone(), &form, Some(("nobody", "guess"))).await.unwrap_err();
        assert_eq!(wrong, unknown);
        // Nor does an authenticated client learn which codes exist: not another client's, and not an invented one.
        let public = stack.public_client().await;
        let code = stack.code(&public, "alice").await;
        let secret = client["client_secret"].as_str().unwrap();
        let with_code = |code| with(&form, "code", code);
        let foreign = exchange(auth.clone(), &with_code(&code), Some((id, secret))).await.unwrap_err();
        let invented = exchange(auth, &with_code("mcp_code_x"), Some((id, secret))).await.unwrap_err();
        assert_eq!(foreign, invented);
    }

    async fn foreign_and_invented_tokens_look_the_same(stack) {
        let public = stack.public_client().await;
        let tokens = stack.log_in(&public, "alice").await;
        let client = stack.register(json!({"redirect_uris": [REDIRECT]})).await.unwrap();
        let (id, secret) = (client["client_id"].as_str().unwrap(), client["client_secret"].as_str().unwrap());
        let mut answers = Vec::new();
        for token in [access(&tokens), refresh(&tokens), "mcp_at_x", ""] {
            let request = proto::IntrospectRequest {
                token: token.to_owned(),
                caller: Some(Caller::ClientAuthentication(basic_credentials((id, secret)))),
                ..Default::default()
            };
            answers.push(stack.first().introspect(request).await.unwrap().into_inner());
        }
        assert!(answers.iter().all(|answer| *answer == proto::IntrospectResponse::default()), "{answers:?}");
    }

    async fn a_used_an_unknown_and_an_expired_login_look_the_same(stack) {
        let client_id = stack.public_client().await;
        let prompt = stack.consent(&authorization_request(&client_id)).await;
        let browser = prompt.browser_session.clone();
        let page = stack.decide(&prompt, true, &browser).await.unwrap();
        let callback = stack.fake_login(&page, "alice").await;
        stack.callback(&callback, &browser).await.unwrap();
        let used = stack.callback(&callback, &browser).await.unwrap_err();
        let unknown: Url = format!("{BASE}/callback?state=guess&code=x").parse().unwrap();
        assert_eq!(used, stack.callback(&unknown, &browser).await.unwrap_err());
    }

    async fn managing_an_unknown_client_and_a_wrong_token_get_the_same_answer(stack) {
        let client = stack.register(json!({"redirect_uris": [REDIRECT]})).await.unwrap();
        let mut ask = async |id: &str| {
            let request = proto::RegisterClientRequest {
                operation: proto::register_client_request::Operation::Read.into(),
                client_id: id.to_owned(),
                registration_access_token: "guess".to_owned(),
                ..Default::default()
            };
            stack.first().register_client(request).await.unwrap().into_inner()
        };
        assert_eq!(ask(client["client_id"].as_str().unwrap()).await, ask("nobody").await);
    }
}
