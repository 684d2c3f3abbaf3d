//! Another authorization server in place of ours.

use everything_auth::{Config, ExternalConfig};
use everything_proto::auth::v1::{self as proto};
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};

use crate::harness::*;
use crate::keys::{Key, ath, forged, now};
use crate::web::Web;

const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// An issuer that publishes one key.
async fn issuer(key: &Key) -> Web {
    let web = Web::start().await;
    let document = json!({
        "issuer": web.url(""),
        "jwks_uri": web.url("/jwks"),
        "introspection_endpoint": web.url("/introspect"),
    });
    web.serve(WELL_KNOWN, "max-age=60", &document);
    publish(&web, key, "one");
    web
}

fn publish(web: &Web, key: &Key, id: &str) {
    let mut jwk = key.jwk();
    jwk["kid"] = json!(id);
    // Keys of unknown kinds must not hide the known one.
    web.serve(
        "/jwks",
        "max-age=60",
        &json!({"keys": [{"kty": "AKP", "alg": "ML-DSA-44", "pub": "x"}, jwk]}),
    );
}

fn config(web: &Web, change: impl FnOnce(&mut ExternalConfig)) -> Config {
    let mut external = ExternalConfig {
        auth_issuer: Some(web.url("")),
        ..ExternalConfig::default()
    };
    change(&mut external);
    Config {
        external,
        ..Config::default()
    }
}

fn claims(web: &Web) -> Value {
    json!({
        "iss": web.url(""),
        "sub": "alice",
        "aud": RESOURCE,
        "exp": now() + 600,
        "iat": now(),
        "client_id": "app",
        "scope": "openid mcp:tools",
    })
}

fn signed(key: &Key, id: &str, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::ES256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(id.to_owned());
    key.sign(&header, claims)
}

#[tokio::test]
async fn tokens_of_the_issuer_are_accepted_and_clients_pointed_there() {
    let key = Key::generate();
    let web = issuer(&key).await;
    let mut stack = Stack::memory_with(config(&web, |_| {})).await;
    let active = stack.introspect(&signed(&key, "one", &claims(&web))).await;
    assert!(active.active);
    assert_eq!(
        (active.user_id.as_str(), active.client_id.as_str()),
        ("alice", "app")
    );
    assert_eq!(active.scopes, ["mcp:tools"]);
    assert_eq!(active.token_type, "Bearer");
    let mut many = claims(&web);
    many["aud"] = json!(["https://other.example", RESOURCE]);
    assert!(stack.introspect(&signed(&key, "one", &many)).await.active);

    let metadata = stack
        .first()
        .metadata(proto::MetadataRequest {})
        .await
        .unwrap()
        .into_inner();
    assert!(metadata.authorization_server_json.is_empty());
    assert_eq!(
        (metadata.issuer, metadata.resource.as_str()),
        (web.url(""), RESOURCE)
    );
    let resource: Value = serde_json::from_slice(&metadata.protected_resource_json).unwrap();
    assert_eq!(resource["authorization_servers"], json!([web.url("")]));

    let register = stack
        .first()
        .register_client(proto::RegisterClientRequest::default())
        .await;
    assert_eq!(register.unwrap_err().code(), tonic::Code::FailedPrecondition);
}

#[tokio::test]
async fn everything_else_is_refused() {
    let (key, other) = (Key::generate(), Key::generate());
    let web = issuer(&key).await;
    let mut stack = Stack::memory_with(config(&web, |_| {})).await;
    for (member, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", Value::Null),
        ("aud", json!("https://other.example/mcp")),
        ("aud", json!("app")),
        ("aud", Value::Null),
        ("exp", json!(now() - 120)),
        ("exp", Value::Null),
        ("exp", json!("never")),
        ("nbf", json!(now() + 600)),
        ("iat", json!(now() + 600)),
        ("sub", json!("")),
        ("sub", json!("a\nb")),
        ("sub", Value::Null),
    ] {
        let mut flawed = claims(&web);
        flawed[member] = value;
        assert!(
            !stack.introspect(&signed(&key, "one", &flawed)).await.active,
            "{flawed}"
        );
    }
    let good = signed(&key, "one", &claims(&web));
    let parts: Vec<&str> = good.split('.').collect();
    let hs256 = jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        &claims(&web),
        &jsonwebtoken::EncodingKey::from_secret(key.jwk().to_string().as_bytes()),
    );
    let mut proof = Header::new(Algorithm::ES256);
    proof.typ = Some("dpop+jwt".to_owned());
    for token in [
        signed(&other, "one", &claims(&web)),
        signed(&other, "two", &claims(&web)),
        key.sign(&proof, &claims(&web)),
        forged(&json!({"alg": "none", "typ": "at+jwt"}), &claims(&web), b""),
        forged(&json!({"alg": "ES256", "kid": "one"}), &claims(&web), &[0; 64]),
        forged(
            &json!({"alg": "ES256", "jku": web.url("/evil"), "jwk": other.jwk()}),
            &claims(&web),
            &[0; 64],
        ),
        format!("{}.{}.", parts[0], parts[1]),
        hs256.unwrap(),
        "opaque".to_owned(),
        String::new(),
        "x".repeat(100_000),
    ] {
        assert!(
            !stack.introspect(&token).await.active,
            "{}",
            &token[..token.len().min(80)]
        );
    }
    assert!(
        !stack
            .introspect_at(&good, "https://other.example/mcp")
            .await
            .active
    );
    assert!(stack.introspect(&good).await.active);
    assert_eq!(web.times("/evil"), 0);
}

#[tokio::test]
async fn a_key_that_is_new_is_looked_for_once_in_a_while() {
    let (first, second) = (Key::generate(), Key::generate());
    let web = issuer(&first).await;
    let mut stack = Stack::memory_with(config(&web, |_| {})).await;
    assert!(
        stack
            .introspect(&signed(&first, "one", &claims(&web)))
            .await
            .active
    );
    let before = web.times("/jwks");
    // Anybody can invent key ids: that must not make us ask the issuer each time.
    for _ in 0..10 {
        assert!(
            !stack
                .introspect(&signed(&second, "two", &claims(&web)))
                .await
                .active
        );
    }
    assert!(web.times("/jwks") <= before + 1);
}

#[tokio::test]
async fn an_issuer_that_is_away_is_not_a_bad_token() {
    let key = Key::generate();
    let web = issuer(&key).await;
    web.forget("/jwks");
    let mut stack = Stack::memory_with(config(&web, |_| {})).await;
    let request = proto::IntrospectRequest {
        token: signed(&key, "one", &claims(&web)),
        caller: Some(proto::introspect_request::Caller::ResourceServer(
            proto::ResourceServer {
                resource: RESOURCE.to_owned(),
            },
        )),
        ..Default::default()
    };
    let status = stack.first().introspect(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert!(!status.message().contains("127.0.0.1"), "{status}");
    publish(&web, &key, "one");
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    let mut is_active = async || {
        let answer = stack.first().introspect(request.clone()).await;
        answer.is_ok_and(|answer| answer.into_inner().active)
    };
    while !is_active().await {
        assert!(tokio::time::Instant::now() < deadline, "it never came back");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // Away again, what it published is remembered.
    web.forget("/jwks");
    assert!(is_active().await);
}

#[tokio::test]
async fn audiences_and_scopes_can_be_set_for_providers_without_them() {
    let key = Key::generate();
    let web = issuer(&key).await;
    let config = config(&web, |external| {
        external.auth_audience = vec!["api://everything".to_owned()];
        external.auth_default_scopes = Some("mcp:tools mcp:prompts".to_owned());
    });
    let mut stack = Stack::memory_with(config).await;
    let mut token = claims(&web);
    token["aud"] = json!("api://everything");
    token["scope"] = json!("openid profile");
    let active = stack.introspect(&signed(&key, "one", &token)).await;
    assert_eq!(active.scopes, ["mcp:tools", "mcp:prompts"]);
    token.as_object_mut().unwrap().remove("scope");
    token["scp"] = json!(["mcp:resources"]);
    assert_eq!(
        stack.introspect(&signed(&key, "one", &token)).await.scopes,
        ["mcp:resources"]
    );
}

#[tokio::test]
async fn opaque_tokens_are_introspected_where_they_were_issued() {
    let web = issuer(&Key::generate()).await;
    let config = config(&web, |external| {
        external.auth_introspection_client_id = Some("us".to_owned());
        external.auth_introspection_client_secret = "our secret".parse().ok();
    });
    let mut stack = Stack::memory_with(config).await;
    let mut answer = claims(&web);
    answer["active"] = json!(true);
    answer.as_object_mut().unwrap().remove("iss");
    web.serve("/introspect", "no-store", &answer);
    let active = stack.introspect("opaque").await;
    assert_eq!((active.active, active.user_id.as_str()), (true, "alice"));
    let request = web.last("/introspect");
    assert!(
        request.contains("Basic dXM6b3VyK3NlY3JldA==") && request.contains("token=opaque"),
        "{request}"
    );

    for (member, value) in [
        ("active", json!(false)),
        ("aud", json!("https://other.example")),
        ("aud", Value::Null),
        ("iss", json!("https://evil.example")),
        ("exp", json!(now() - 120)),
    ] {
        let mut flawed = answer.clone();
        flawed[member] = value;
        web.serve("/introspect", "no-store", &flawed);
        assert!(!stack.introspect("opaque").await.active, "{flawed}");
    }
}

#[tokio::test]
async fn bound_tokens_of_the_issuer_need_their_key() {
    let (key, holder, thief) = (Key::generate(), Key::generate(), Key::generate());
    let web = issuer(&key).await;
    let mut stack = Stack::memory_with(Config {
        dpop_nonces: false,
        ..config(&web, |_| {})
    })
    .await;
    let mut bound = claims(&web);
    bound["cnf"] = json!({"jkt": holder.thumbprint()});
    let token = signed(&key, "one", &bound);
    let mut ask = async |who: &Key| {
        let request = proto::IntrospectRequest {
            token: token.clone(),
            caller: Some(proto::introspect_request::Caller::ResourceServer(
                proto::ResourceServer {
                    resource: RESOURCE.to_owned(),
                },
            )),
            dpop: Some(who.proof("POST", "/mcp", |claims| claims["ath"] = json!(ath(&token)))),
            ..Default::default()
        };
        stack.first().introspect(request).await.unwrap().into_inner()
    };
    let active = ask(&holder).await;
    assert_eq!((active.active, active.token_type.as_str()), (true, "DPoP"));
    assert!(!ask(&thief).await.active);
}
