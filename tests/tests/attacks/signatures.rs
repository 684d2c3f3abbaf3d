//! JWTs that say more than they may: client assertions and DPoP proofs.

use serde_json::{Value, json};
use system_tests::REDIRECT_URI;

use super::{
    keys::{Key, ath, base64, now, signing_input, unique},
    target::{Answer, Target, VERIFIER},
};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn with(mut value: Value, name: &str, member: Value) -> Value {
    value[name] = member;
    value
}

/// A request that fails for its grant when the client is believed, and for the client otherwise.
async fn assert_with(target: &Target, client: &str, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "unknown"),
        ("client_id", client),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
    ];
    target.post("/token", &form).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jwt_alg_tricks_on_client_assertions() {
    let target = Target::start().await;
    let key = Key::generate();
    let metadata = json!({
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": [key.jwk()] },
    });
    let registered = target.register(&metadata).await;
    assert_eq!(registered.status, 201, "{registered:?}");
    let registered = registered.json();
    let client = registered["client_id"].as_str().unwrap();
    let claims = || json!({ "iss": client, "sub": client, "aud": target.at("/token"), "exp": now() + 60, "iat": now(), "jti": unique() });
    let header = json!({ "alg": "ES256" });
    let unsigned = |header: &Value| format!("{}.", signing_input(header, &claims()));
    let stranger = Key::generate();
    let jwk = json!({ "alg": "ES256", "jwk": stranger.jwk() });
    let jku = json!({ "alg": "ES256", "jku": "https://evil.example/keys" });
    let good = key.sign(&header, &claims());
    let halves: Vec<_> = good.split('.').collect();
    let admin = with(claims(), "sub", json!("admin"));
    let swapped = format!(
        "{}.{}.{}",
        halves[0],
        base64(admin.to_string().as_bytes()),
        halves[2]
    );
    for (what, assertion) in [
        ("alg none", unsigned(&json!({ "alg": "none" }))),
        ("alg None", unsigned(&json!({ "alg": "None" }))),
        ("no alg", unsigned(&json!({}))),
        ("no signature", unsigned(&header)),
        (
            "the public key as a secret",
            key.confuse(&json!({ "alg": "HS256" }), &claims()),
        ),
        (
            "another algorithm's name",
            key.sign(&json!({ "alg": "RS256" }), &claims()),
        ),
        ("another key", stranger.sign(&header, &claims())),
        ("a key that it brings itself", stranger.sign(&jwk, &claims())),
        ("a key that it points to", stranger.sign(&jku, &claims())),
        (
            "an unknown critical extension",
            key.sign(&with(header.clone(), "crit", json!(["x"])), &claims()),
        ),
        ("other claims under a good signature", swapped),
        (
            "expired",
            key.sign(&header, &with(claims(), "exp", json!(now() - 3600))),
        ),
        (
            "for ever",
            key.sign(&header, &with(claims(), "exp", json!(now() + 86_400 * 365))),
        ),
        (
            "not yet",
            key.sign(&header, &with(claims(), "nbf", json!(now() + 3600))),
        ),
        (
            "for another server",
            key.sign(
                &header,
                &with(claims(), "aud", json!("https://evil.example/token")),
            ),
        ),
        (
            "of another issuer",
            key.sign(&header, &with(claims(), "iss", json!("x"))),
        ),
        (
            "of another subject",
            key.sign(&header, &with(claims(), "sub", json!("x"))),
        ),
        (
            "without jti",
            key.sign(&header, &with(claims(), "jti", Value::Null)),
        ),
        ("garbage", "a.b.c".to_owned()),
        ("nothing", String::new()),
    ] {
        let answer = assert_with(&target, client, &assertion).await;
        assert!(
            ["invalid_client", "invalid_request"].contains(&answer.error().as_str()),
            "{what}: {answer:?}"
        );
    }
    let answer = assert_with(&target, client, &good).await;
    assert_eq!(answer.error(), "invalid_grant", "{answer:?}");
    assert_eq!(
        assert_with(&target, client, &good).await.error(),
        "invalid_client",
        "a replay"
    );
}

/// A client with a key, and its user's tokens, which are bound to it.
struct Bound {
    key: Key,
    client: String,
    access: String,
    refresh: String,
    nonce: String,
}

impl Bound {
    async fn log_in(target: &Target) -> Self {
        let key = Key::generate();
        let client = target.client().await;
        let code = target.code("victim", &client).await;
        let claims = token_claims(target, "");
        // The first answer is a nonce, and does not use the code up.
        let answer = redeem(target, &client, &code, &key.proof(&claims)).await;
        assert_eq!(answer.error(), "use_dpop_nonce");
        let nonce = answer.header("dpop-nonce").to_owned();
        let claims = token_claims(target, &nonce);
        let answer = redeem(target, &client, &code, &key.proof(&claims)).await;
        let tokens = answer.tokens();
        assert_eq!(answer.json()["token_type"], "DPoP");
        Self {
            key,
            client,
            access: tokens.access,
            refresh: tokens.refresh,
            nonce,
        }
    }

    fn claims(&self, target: &Target) -> Value {
        let claims = json!({ "jti": unique(), "htm": "POST", "htu": target.at("/mcp"), "iat": now(), "nonce": self.nonce });
        with(claims, "ath", json!(ath(&self.access)))
    }

    async fn call(&self, target: &Target, proof: &str) -> Answer {
        let call = target
            .call()
            .header("authorization", format!("DPoP {}", self.access));
        Answer::of(call.header("dpop", proof)).await
    }
}

fn token_claims(target: &Target, nonce: &str) -> Value {
    json!({ "jti": unique(), "htm": "POST", "htu": target.at("/token"), "iat": now(), "nonce": nonce })
}

async fn redeem(target: &Target, client: &str, code: &str, proof: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("client_id", client),
        ("code_verifier", VERIFIER),
    ];
    let request = target.http.post(target.at("/token")).form(&form);
    Answer::of(request.header("dpop", proof)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jwt_alg_tricks_on_dpop_proofs() {
    let target = Target::start().await;
    let bound = Bound::log_in(&target).await;
    let key = &bound.key;
    let claims = || bound.claims(&target);
    let header = key.proof_header();
    let bent = |name: &str, value: Value| key.proof(&with(claims(), name, value));
    let thief = Key::generate();
    for (what, proof) in [
        (
            "alg none",
            format!(
                "{}.",
                signing_input(&with(header.clone(), "alg", json!("none")), &claims())
            ),
        ),
        (
            "HMAC by the public key",
            key.confuse(&with(header.clone(), "alg", json!("HS256")), &claims()),
        ),
        (
            "another type",
            key.sign(&with(header.clone(), "typ", json!("JWT")), &claims()),
        ),
        (
            "no key",
            key.sign(&with(header.clone(), "jwk", Value::Null), &claims()),
        ),
        (
            "a private key",
            key.sign(
                &with(header.clone(), "jwk", with(key.jwk(), "d", json!("x"))),
                &claims(),
            ),
        ),
        ("somebody else's key", thief.proof(&claims())),
        ("signed by another key than named", thief.sign(&header, &claims())),
        ("another method", bent("htm", json!("GET"))),
        ("another address", bent("htu", json!("https://evil.example/mcp"))),
        ("another token", bent("ath", json!(ath("x")))),
        ("no token", bent("ath", Value::Null)),
        ("an old one", bent("iat", json!(now() - 3600))),
        ("one from the future", bent("iat", json!(now() + 3600))),
        ("an invented nonce", bent("nonce", json!("x"))),
        ("no nonce", bent("nonce", Value::Null)),
        ("garbage", "a.b.c".to_owned()),
    ] {
        let answer = bound.call(&target, &proof).await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        assert!(
            answer.header("www-authenticate").starts_with("DPoP ")
                || answer.header("www-authenticate").contains("invalid_token"),
            "{what}: {answer:?}"
        );
        if what.ends_with("nonce") {
            assert!(
                answer.header("www-authenticate").contains("use_dpop_nonce"),
                "{answer:?}"
            );
            assert!(!answer.header("dpop-nonce").is_empty(), "{answer:?}");
        }
    }
    // Stripped of its binding.
    assert_eq!(target.use_token(&bound.access).await.status, 401);
    let twice = target
        .call()
        .header("authorization", format!("DPoP {}", bound.access))
        .header("dpop", key.proof(&claims()))
        .header("dpop", key.proof(&claims()));
    assert!(Answer::of(twice).await.status.is_client_error());
    // Used, and then used again.
    let proof = key.proof(&claims());
    let answer = bound.call(&target, &proof).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(bound.call(&target, &proof).await.status, 401);
    // The refresh token of a public client is bound, too (RFC 9449 section 5).
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", bound.client.as_str()),
        ("refresh_token", &bound.refresh),
    ];
    assert!(target.post("/token", &form).await.status.is_client_error());
    for (signer, good) in [(&thief, false), (key, true)] {
        let request = target.http.post(target.at("/token")).form(&form);
        let proof = signer.proof(&token_claims(&target, &bound.nonce));
        let answer = Answer::of(request.header("dpop", proof)).await;
        assert_eq!(answer.status == 200, good, "{answer:?}");
    }
}
