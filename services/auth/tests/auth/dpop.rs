//! Tokens that are bound to a key (RFC 9449).

use everything_auth::Config;
use everything_proto::auth::v1::exchange_token_response::Outcome;
use everything_proto::auth::v1::introspect_request::Caller;
use everything_proto::auth::v1::{self as proto, DpopProof};
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};

use crate::harness::*;
use crate::keys::{Key, ath, forged, now, proof_of, unique};

async fn exchange_with(
    stack: &mut Stack,
    request: &[(&str, &str)],
    proof: DpopProof,
) -> Result<Value, proto::OAuthError> {
    let request = proto::ExchangeTokenRequest {
        parameters: parameters(request),
        dpop: Some(proof),
        ..Default::default()
    };
    match stack
        .second()
        .exchange_token(request)
        .await
        .unwrap()
        .into_inner()
        .outcome
        .unwrap()
    {
        Outcome::TokenJson(token) => Ok(serde_json::from_slice(&token).unwrap()),
        Outcome::Error(error) => Err(error),
    }
}

async fn introspect_with(stack: &mut Stack, token: &str, proof: DpopProof) -> proto::IntrospectResponse {
    let request = proto::IntrospectRequest {
        token: token.to_owned(),
        caller: Some(Caller::ResourceServer(proto::ResourceServer {
            resource: RESOURCE.to_owned(),
        })),
        dpop: Some(proof),
        ..Default::default()
    };
    stack.first().introspect(request).await.unwrap().into_inner()
}

/// The nonce that the server wants.
async fn nonce(stack: &mut Stack, client_id: &str) -> String {
    let request = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("code", "x"),
    ];
    let error = exchange_with(stack, &request, Key::generate().proof("POST", "/token", |_| {}))
        .await
        .unwrap_err();
    assert_eq!(error.error, "use_dpop_nonce");
    error.dpop_nonce
}

on_both_stores! {
    async fn bound_tokens_need_their_key_at_every_turn(stack) {
        let client_id = stack.public_client().await;
        let (key, thief) = (Key::generate(), Key::generate());
        let nonce = nonce(stack, &client_id).await;
        let at_token = |key: &Key| key.proof("POST", "/token", |claims| claims["nonce"] = json!(nonce));
        let code = stack.code(&client_id, "alice").await;
        let tokens = exchange_with(stack, &code_request(&client_id, &code), at_token(&key)).await.unwrap();
        assert_eq!(tokens["token_type"], "DPoP");

        let at_mcp = |key: &Key, token: &str| {
            key.proof("POST", "/mcp", |claims| {
                claims["nonce"] = json!(nonce);
                claims["ath"] = json!(ath(token));
            })
        };
        let token = access(&tokens);
        let active = introspect_with(stack, token, at_mcp(&key, token)).await;
        assert!(active.active);
        assert_eq!((active.token_type.as_str(), active.jkt), ("DPoP", key.thumbprint()));
        assert!(!introspect_with(stack, token, at_mcp(&thief, token)).await.active);
        // Without proof it is told apart from a bearer token, so that the resource server refuses it.
        assert_eq!(stack.introspect(token).await.jkt, key.thumbprint());

        // The refresh token of a public client is bound, too.
        let refresh_form = refresh_request(&client_id, refresh(&tokens));
        let bare = stack.exchange(&refresh_form).await.unwrap_err();
        assert_eq!(bare.error, "invalid_dpop_proof");
        let stolen = exchange_with(stack, &refresh_form, at_token(&thief)).await.unwrap_err();
        assert_eq!(stolen.error, "invalid_grant");
        let renewed = exchange_with(stack, &refresh_form, at_token(&key)).await.unwrap();
        assert_eq!(renewed["token_type"], "DPoP");

        // A bearer token is none of a key's.
        let bearer = stack.log_in(&client_id, "alice").await;
        let token = access(&bearer);
        assert!(!introspect_with(stack, token, at_mcp(&key, token)).await.active);
    }

    async fn a_proof_is_for_one_request_only(stack) {
        let client_id = stack.public_client().await;
        let key = Key::generate();
        let nonce = nonce(stack, &client_id).await;
        let code = stack.code(&client_id, "alice").await;
        let proof = key.proof("POST", "/token", |claims| claims["nonce"] = json!(nonce));
        let form = code_request(&client_id, &code);
        let tokens = exchange_with(stack, &form, proof.clone()).await.unwrap();
        // On the other replica, too.
        let refresh_form = refresh_request(&client_id, refresh(&tokens));
        let again = exchange_with(stack, &refresh_form, proof).await.unwrap_err();
        assert_eq!(again.error, "invalid_dpop_proof");

        let token = access(&tokens);
        let proof = key.proof("POST", "/mcp", |claims| {
            claims["nonce"] = json!(nonce);
            claims["ath"] = json!(ath(token));
        });
        assert!(introspect_with(stack, token, proof.clone()).await.active);
        let again = introspect_with(stack, token, proof).await;
        assert!(!again.active);
        assert_eq!(again.error.unwrap().error, "invalid_dpop_proof");
    }

    async fn flawed_proofs_are_refused(stack) {
        let client_id = stack.public_client().await;
        let key = Key::generate();
        let nonce = nonce(stack, &client_id).await;
        let code = stack.code(&client_id, "alice").await;
        let form = code_request(&client_id, &code);
        let claims = || {
            json!({"jti": unique(), "htm": "POST", "htu": format!("{BASE}/token"), "iat": now(), "nonce": nonce})
        };
        let bent = |member: &str, value: Value| {
            key.proof("POST", "/token", |claims| {
                claims["nonce"] = json!(nonce);
                claims[member] = value;
            })
        };
        let mut no_type = Header::new(Algorithm::ES256);
        no_type.jwk = Some(serde_json::from_value(key.jwk()).unwrap());
        let mut no_key = Header::new(Algorithm::ES256);
        no_key.typ = Some("dpop+jwt".to_owned());
        let mut other_key = no_type.clone();
        other_key.typ = Some("dpop+jwt".to_owned());
        other_key.jwk = Some(serde_json::from_value(Key::generate().jwk()).unwrap());
        let mut private = key.jwk();
        private["d"] = json!("x");
        let hs = json!({"typ": "dpop+jwt", "alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}});
        for (flaw, proof) in [
            ("method", bent("htm", json!("GET"))),
            ("uri", bent("htu", json!(format!("{BASE}/mcp")))),
            ("old", bent("iat", json!(now() - 3600))),
            ("future", bent("iat", json!(now() + 3600))),
            ("jti", bent("jti", json!(""))),
            ("types", bent("iat", json!("now"))),
            ("typ", proof_of(key.sign(&no_type, &claims()), "POST", "/token")),
            ("no key", proof_of(key.sign(&no_key, &claims()), "POST", "/token")),
            ("other key", proof_of(key.sign(&other_key, &claims()), "POST", "/token")),
            ("alg none", proof_of(
                forged(&json!({"typ": "dpop+jwt", "alg": "none", "jwk": key.jwk()}), &claims(), b""), "POST", "/token",
            )),
            ("hmac", proof_of(forged(&hs, &claims(), &[0; 32]), "POST", "/token")),
            ("private key", proof_of(
                forged(&json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": private}), &claims(), &[0; 64]), "POST", "/token",
            )),
            ("no jwt", proof_of("x".to_owned(), "POST", "/token")),
        ] {
            let error = exchange_with(stack, &form, proof).await.unwrap_err();
            assert_eq!(error.error, "invalid_dpop_proof", "{flaw}");
        }
        for wrong in [Value::Null, json!("invented")] {
            let error = exchange_with(stack, &form, bent("nonce", wrong)).await.unwrap_err();
            assert_eq!(error.error, "use_dpop_nonce");
            assert_eq!(error.dpop_nonce, nonce);
        }
        // None of that spoiled the code.
        exchange_with(stack, &form, bent("nonce", json!(nonce))).await.unwrap();
    }

    async fn a_code_can_be_bound_before_it_exists(stack) {
        let client_id = stack.public_client().await;
        let (key, thief) = (Key::generate(), Key::generate());
        let nonce = nonce(stack, &client_id).await;
        let thumbprint = key.thumbprint();
        let request = with(&authorization_request(&client_id), "dpop_jkt", &thumbprint);
        let response = stack.authorize_as("alice", &request).await;
        let code = query(&response, "code").unwrap();
        let form = code_request(&client_id, &code);
        let proof = |key: &Key| key.proof("POST", "/token", |claims| claims["nonce"] = json!(nonce));
        assert_eq!(stack.exchange(&form).await.unwrap_err().error, "invalid_dpop_proof");
        assert_eq!(exchange_with(stack, &form, proof(&thief)).await.unwrap_err().error, "invalid_grant");
        exchange_with(stack, &form, proof(&key)).await.unwrap();
    }
}

#[tokio::test]
async fn nonces_can_be_switched_off() {
    let mut stack = Stack::memory_with(Config {
        dpop_nonces: false,
        ..Config::default()
    })
    .await;
    let client_id = stack.public_client().await;
    let code = stack.code(&client_id, "alice").await;
    let proof = Key::generate().proof("POST", "/token", |_| {});
    exchange_with(&mut stack, &code_request(&client_id, &code), proof)
        .await
        .unwrap();
}
