//! Clients that the operator registered, and clients that prove who they are with a key.

use std::path::PathBuf;

use everything_auth::Config;
use everything_proto::auth::v1::introspect_request::Caller;
use everything_proto::auth::v1::{self as proto};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::*;
use crate::keys::{Key, forged, now, unique};

const SECRET: &str = "a secret that the operator chose";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A file that is removed with its handle.
struct ClientsFile(PathBuf);

impl ClientsFile {
    fn write(clients: &Value) -> Self {
        let path = std::env::temp_dir().join(format!("everything-auth-clients-{}.json", unique()));
        std::fs::write(&path, json!({"clients": clients}).to_string()).unwrap();
        Self(path)
    }

    fn config(&self) -> Config {
        Config {
            clients_file: Some(self.0.clone()),
            ..Config::default()
        }
    }
}

impl Drop for ClientsFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn credentials_request(id: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", SECRET),
    ]
}

#[tokio::test]
async fn a_confidential_client_acts_for_itself() {
    let hash: String = Sha256::digest(SECRET)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let file = ClientsFile::write(&json!([
        {"client_id": "robot", "client_secret": SECRET, "grant_types": ["client_credentials"], "scope": "mcp:tools"},
        {"client_id": "hashed", "client_secret_sha256": hash, "grant_types": ["client_credentials"]},
        {"client_id": "app", "client_secret": SECRET, "redirect_uris": [REDIRECT]},
    ]));
    let mut stack = Stack::memory_with(file.config()).await;
    let tokens = stack.exchange(&credentials_request("robot")).await.unwrap();
    assert_eq!(tokens["scope"], "mcp:tools");
    assert_eq!(tokens.get("refresh_token"), None);
    let active = stack.introspect(access(&tokens)).await;
    assert!(active.active);
    // No person's id begins so.
    assert_eq!(
        (active.user_id.as_str(), active.client_id.as_str()),
        ("client:robot", "robot")
    );

    stack.exchange(&credentials_request("hashed")).await.unwrap();
    let more = with(&credentials_request("robot"), "scope", "mcp:prompts");
    assert_eq!(stack.exchange(&more).await.unwrap_err().error, "invalid_scope");
    let wrong = with(&credentials_request("robot"), "client_secret", "guess");
    assert_eq!(stack.exchange(&wrong).await.unwrap_err().error, "invalid_client");
    let app = stack.exchange(&credentials_request("app")).await.unwrap_err();
    assert_eq!(app.error, "unauthorized_client");
    // The robot has no business at the authorization endpoint.
    let outcome = stack.begin(&authorization_request("robot"), "").await;
    assert!(matches!(
        outcome,
        proto::begin_authorization_response::Outcome::ErrorPage(_)
    ));
}

#[tokio::test]
async fn a_resource_server_introspects_the_tokens_of_its_resource() {
    let other = "https://files.example/mcp";
    let file = ClientsFile::write(&json!([
        {
            "client_id": "files",
            "client_secret": SECRET,
            "grant_types": ["client_credentials"],
            "introspects": [other],
        },
    ]));
    let config = Config {
        additional_resources: vec![other.parse().unwrap()],
        ..file.config()
    };
    let mut stack = Stack::memory_with(config).await;
    let client_id = stack.public_client().await;
    let request = with(&authorization_request(&client_id), "resource", other);
    let response = stack.authorize_as("alice", &request).await;
    let code = query(&response, "code").unwrap();
    let for_files = stack
        .exchange(&with(&code_request(&client_id, &code), "resource", other))
        .await
        .unwrap();
    let for_us = stack.log_in(&client_id, "alice").await;
    let mut ask = async |tokens: &Value| {
        let request = proto::IntrospectRequest {
            token: access(tokens).to_owned(),
            caller: Some(Caller::ClientAuthentication(basic_credentials(("files", SECRET)))),
            ..Default::default()
        };
        stack.first().introspect(request).await.unwrap().into_inner()
    };
    assert_eq!(ask(&for_files).await.audience, [other]);
    assert!(!ask(&for_us).await.active);
    // And a token for the other server opens nothing here.
    assert!(!stack.is_active(&for_files).await);
}

fn claims(id: &str) -> Value {
    json!({"iss": id, "sub": id, "aud": BASE, "exp": now() + 60, "iat": now(), "jti": unique()})
}

async fn with_assertion(stack: &mut Stack, assertion: &str) -> Result<Value, String> {
    let request = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
    ];
    stack.exchange(&request).await.map_err(|error| error.error)
}

#[tokio::test]
async fn a_client_proves_who_it_is_with_its_key() {
    let (key, stranger) = (Key::generate(), Key::generate());
    let file = ClientsFile::write(&json!([{
        "client_id": "robot",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": key.jwks(),
        "grant_types": ["client_credentials"],
    }]));
    let mut stack = Stack::memory_with(file.config()).await;
    let tokens = with_assertion(&mut stack, &key.assertion(&claims("robot")))
        .await
        .unwrap();
    assert!(stack.is_active(&tokens).await);
    let mut at_the_endpoint = claims("robot");
    at_the_endpoint["aud"] = json!(["https://other.example", format!("{BASE}/token")]);
    with_assertion(&mut stack, &key.assertion(&at_the_endpoint))
        .await
        .unwrap();

    let refused = Err("invalid_client".to_owned());
    // Used again.
    let once = key.assertion(&claims("robot"));
    with_assertion(&mut stack, &once).await.unwrap();
    assert_eq!(with_assertion(&mut stack, &once).await, refused);
    // Somebody else's key.
    assert_eq!(
        with_assertion(&mut stack, &stranger.assertion(&claims("robot"))).await,
        refused
    );
    for (member, value) in [
        ("aud", json!("https://other.example/token")),
        ("iss", json!("other")),
        ("sub", json!("other")),
        ("exp", json!(now() - 120)),
        ("exp", json!(now() + 86400)),
        ("nbf", json!(now() + 600)),
        ("jti", json!("")),
    ] {
        let mut flawed = claims("robot");
        flawed[member] = value;
        assert_eq!(
            with_assertion(&mut stack, &key.assertion(&flawed)).await,
            refused,
            "{flawed}"
        );
    }
    // A secret instead of the assertion.
    let secret = stack.exchange(&credentials_request("robot")).await.unwrap_err();
    assert_eq!(secret.error, "invalid_client");
}

#[tokio::test]
async fn tricks_with_the_algorithm_of_an_assertion_fail() {
    let key = Key::generate();
    let file = ClientsFile::write(&json!([{
        "client_id": "robot",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": key.jwks(),
        "grant_types": ["client_credentials"],
    }]));
    let mut stack = Stack::memory_with(file.config()).await;
    let good = key.assertion(&claims("robot"));
    let signature: Vec<&str> = good.split('.').collect();
    let public = key.jwk().to_string();
    let hs256 = jsonwebtoken::encode(
        &jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256),
        &claims("robot"),
        &jsonwebtoken::EncodingKey::from_secret(public.as_bytes()),
    );
    for token in [
        forged(&json!({"alg": "none"}), &claims("robot"), b""),
        forged(&json!({"alg": "None"}), &claims("robot"), b""),
        forged(&json!({"alg": "ES256"}), &claims("robot"), b""),
        forged(&json!({"alg": "ES256"}), &claims("robot"), &[0; 64]),
        forged(
            &json!({"alg": "ES256", "crit": ["x"]}),
            &claims("robot"),
            &[0; 64],
        ),
        forged(&json!({"alg": "HS256"}), &claims("robot"), &[0; 32]),
        format!("{}.{}.", signature[0], signature[1]),
        format!("{}.{}.{}", signature[0], "e30", signature[2]),
        hs256.unwrap(),
        "x".to_owned(),
        "..".to_owned(),
    ] {
        let outcome = with_assertion(&mut stack, &token).await;
        assert_eq!(outcome, Err("invalid_client".to_owned()), "{token}");
    }
}

#[tokio::test]
async fn a_private_key_cannot_be_registered() {
    let mut stack = Stack::memory().await;
    let key = Key::generate();
    let mut metadata = json!({
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": key.jwks(),
    });
    let client = stack.register(metadata.clone()).await.unwrap();
    assert_eq!(client["jwks"], key.jwks());
    assert_eq!(client.get("client_secret"), None);
    metadata["jwks"]["keys"][0]["d"] = json!("private");
    assert_eq!(
        stack.register(metadata.clone()).await.unwrap_err().error,
        "invalid_client_metadata"
    );
    metadata["jwks"] = json!({"keys": []});
    assert_eq!(
        stack.register(metadata).await.unwrap_err().error,
        "invalid_client_metadata"
    );
}
