//! Dynamic client registration and its management.

use everything_proto::auth::v1::register_client_request::Operation;
use everything_proto::auth::v1::register_client_response::Outcome;
use everything_proto::auth::v1::{self as proto, begin_authorization_response};
use serde_json::{Value, json};

use crate::harness::*;

async fn manage(stack: &mut Stack, operation: Operation, client: &Value, metadata: &Value) -> Outcome {
    let request = proto::RegisterClientRequest {
        operation: operation.into(),
        client_id: client["client_id"].as_str().unwrap().to_owned(),
        registration_access_token: client["registration_access_token"].as_str().unwrap().to_owned(),
        metadata_json: metadata.to_string().into(),
        address: None,
    };
    stack
        .second()
        .register_client(request)
        .await
        .unwrap()
        .into_inner()
        .outcome
        .unwrap()
}

fn document(outcome: Outcome) -> Value {
    match outcome {
        Outcome::ClientJson(client) => serde_json::from_slice(&client).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn refusal(outcome: Outcome) -> String {
    match outcome {
        Outcome::Error(error) => error.error,
        other => panic!("{other:?}"),
    }
}

on_both_stores! {
    async fn a_client_is_told_what_was_registered(stack) {
        let client = stack
            .register(json!({
                "client_name": "Näme & Co",
                "client_uri": "https://app.example",
                "redirect_uris": [REDIRECT, "http://localhost:1234/cb", "cursor://x/cb"],
                "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
                "scope": "mcp:tools",
                "unknown_member": {"is": "ignored"},
            }))
            .await
            .unwrap();
        assert_eq!(client["client_name"], "Näme & Co");
        assert_eq!(client["redirect_uris"], json!([REDIRECT, "http://localhost:1234/cb", "cursor://x/cb"]));
        assert_eq!(client["grant_types"], json!(["authorization_code", "refresh_token"]));
        assert_eq!(client["token_endpoint_auth_method"], "none");
        assert_eq!(client.get("client_secret"), None);
        assert_eq!(client.get("unknown_member"), None);
        let id = client["client_id"].as_str().unwrap();
        assert_eq!(client["registration_client_uri"], format!("{BASE}/register/{id}"));
        assert!(client["client_id_issued_at"].as_u64().unwrap() > 1_700_000_000);
    }

    async fn the_default_is_a_client_with_a_secret(stack) {
        let client = stack.register(json!({"redirect_uris": [REDIRECT]})).await.unwrap();
        assert_eq!(client["token_endpoint_auth_method"], "client_secret_basic");
        assert!(client["client_secret"].as_str().unwrap().len() >= 43);
        assert_eq!(client["client_secret_expires_at"], 0);
    }

    /// Reference failure 34.
    async fn redirects_that_reach_no_client_are_refused(stack) {
        for uri in [
            "file:///etc/passwd",
            "blob:https://app.example/x",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://app.example/callback",
            "http://localhost.app.example/callback",
            "https://app.example/callback#fragment",
            "https://user:secret@app.example/callback",
            "not a uri",
            "",
        ] {
            let refused = stack.register(json!({"redirect_uris": [REDIRECT, uri]})).await.unwrap_err();
            assert_eq!(refused.error, "invalid_redirect_uri", "{uri}");
        }
        let none = stack.register(json!({"client_name": "x"})).await.unwrap_err();
        assert_eq!(none.error, "invalid_redirect_uri");
    }

    async fn flawed_metadata_is_refused(stack) {
        for metadata in [
            json!([]),
            json!("x"),
            json!({"redirect_uris": REDIRECT}),
            json!({"redirect_uris": [1]}),
            json!({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "magic"}),
            json!({"redirect_uris": [REDIRECT], "grant_types": ["implicit"]}),
            json!({"redirect_uris": [REDIRECT], "grant_types": ["client_credentials"]}),
            json!({"redirect_uris": [REDIRECT], "response_types": ["token"]}),
            json!({"redirect_uris": [REDIRECT], "client_name": "x".repeat(201)}),
            json!({"redirect_uris": [REDIRECT], "client_name": "safe\u{202e}evil"}),
            json!({"redirect_uris": [REDIRECT], "client_uri": "javascript:alert(1)"}),
            json!({"redirect_uris": [REDIRECT], "logo_uri": "http://app.example/logo.png"}),
            json!({"redirect_uris": [REDIRECT], "contacts": ["x".repeat(17 * 1024)]}),
        ] {
            let refused = stack.register(metadata.clone()).await.unwrap_err();
            assert_eq!(refused.error, "invalid_client_metadata", "{metadata}");
        }
    }

    async fn a_client_manages_itself_with_its_own_token_only(stack) {
        let metadata = json!({"redirect_uris": [REDIRECT], "client_name": "before"});
        let client = stack.register(metadata).await.unwrap();
        let other = stack.register(json!({"redirect_uris": [REDIRECT]})).await.unwrap();
        let read = document(manage(stack, Operation::Read, &client, &json!({})).await);
        assert_eq!(read["client_name"], "before");
        assert_eq!(read.get("client_secret"), None);

        let mut stranger = client.clone();
        stranger["registration_access_token"] = other["registration_access_token"].clone();
        for operation in [Operation::Read, Operation::Update, Operation::Delete] {
            assert_eq!(refusal(manage(stack, operation, &stranger, &json!({})).await), "invalid_token");
        }

        let change = json!({
            "client_id": client["client_id"],
            "redirect_uris": ["https://app.example/elsewhere"],
            "client_name": "after",
        });
        let updated = document(manage(stack, Operation::Update, &client, &change).await);
        assert_eq!(updated["client_name"], "after");
        assert_eq!(updated["redirect_uris"], json!(["https://app.example/elsewhere"]));
        let id = client["client_id"].as_str().unwrap();
        let old = stack.begin(&authorization_request(id), "").await;
        assert!(matches!(old, begin_authorization_response::Outcome::ErrorPage(_)));

        let mut public = change.clone();
        public["token_endpoint_auth_method"] = json!("none");
        assert_eq!(
            refusal(manage(stack, Operation::Update, &client, &public).await),
            "invalid_client_metadata"
        );

        assert!(matches!(manage(stack, Operation::Delete, &client, &json!({})).await, Outcome::Deleted(_)));
        assert_eq!(refusal(manage(stack, Operation::Read, &client, &json!({})).await), "invalid_token");
    }
}

#[tokio::test(start_paused = true)]
async fn unused_clients_expire_and_used_ones_stay() {
    let mut stack = Stack::memory_with_runtime_clock().await;
    let unused = stack.public_client().await;
    let used = stack.public_client().await;
    stack.log_in(&used, "alice").await;
    tokio::time::advance(std::time::Duration::from_secs(7 * 24 * 60 * 60 + 1)).await;
    let outcome = stack.begin(&authorization_request(&unused), "").await;
    assert!(matches!(
        outcome,
        begin_authorization_response::Outcome::ErrorPage(_)
    ));
    let outcome = stack.begin(&authorization_request(&used), "").await;
    assert!(matches!(
        outcome,
        begin_authorization_response::Outcome::Consent(_)
    ));
}
