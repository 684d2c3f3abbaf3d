use axum::body::Body;
use everything_proto::auth::v1::{
    IntrospectResponse, OAuthError, introspect_request::Caller, watch_response::Event,
};
use http::Request;
use sha2::{Digest, Sha256};

use crate::{
    EdgeConfig,
    testing::{ALICE, Harness, eventually},
};

fn hash(token: &str) -> String {
    Sha256::digest(token.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[tokio::test]
async fn a_good_token_names_its_user_and_is_checked_for_this_resource() {
    let edge = Harness::new().await;
    let answer = edge.mcp(ALICE).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "alice mcp:tools 2"));
    let asked = edge.auth.introspect.last();
    let Some(Caller::ResourceServer(server)) = asked.caller else {
        panic!("{:?}", asked.caller)
    };
    assert_eq!(server.resource, "http://localhost:3232/mcp");
    assert_eq!(asked.address.unwrap().ip, "127.0.0.1");
}

#[tokio::test]
async fn without_a_token_the_challenge_says_where_to_get_one() {
    let edge = Harness::new().await;
    let answer = edge.send(Request::post("/mcp"), "{}").await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer resource_metadata=\"http://localhost:3232/.well-known/oauth-protected-resource/mcp\", \
         scope=\"mcp:tools mcp:resources\""
    );
    let body = answer.json();
    assert_eq!(
        (&body["jsonrpc"], &body["id"]),
        (&"2.0".into(), &serde_json::Value::Null)
    );
    assert_eq!(body["error"]["code"], -32600);
    assert_eq!(edge.auth.introspect.count(), 0);
}

#[tokio::test]
async fn legacy_clients_are_pointed_to_the_metadata_of_their_endpoint() {
    let edge = Harness::new().await;
    for request in [Request::get("/sse"), Request::post("/message?sessionId=x")] {
        let answer = edge.send(request, Body::empty()).await;
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.contains("/.well-known/oauth-protected-resource/sse\""),
            "{challenge}"
        );
    }
}

#[tokio::test]
async fn a_bad_token_is_invalid_token_whatever_is_wrong_with_it() {
    let edge = Harness::new().await;
    let expired = IntrospectResponse {
        active: true,
        user_id: "alice".to_owned(),
        expires_at: 1,
        ..IntrospectResponse::default()
    };
    edge.auth.says("expired", expired);
    let mut bodies = Vec::new();
    for token in ["unknown", "expired"] {
        let answer = edge.mcp(token).await;
        assert_eq!(answer.status, 401, "{token}");
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.starts_with("Bearer error=\"invalid_token\", error_description="),
            "{challenge}"
        );
        assert!(challenge.contains("resource_metadata="), "{challenge}");
        bodies.push(answer.text);
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn tokens_in_wrong_places_are_refused_unread() {
    let edge = Harness::new().await;
    let bearer = format!("Bearer {ALICE}");
    for uri in ["/mcp?access_token=alices-token", "/mcp?a=b&access%5Ftoken=x"] {
        let answer = edge
            .send(Request::post(uri).header("authorization", &bearer), "{}")
            .await;
        assert_eq!(answer.status, 400, "{uri}");
        assert!(!answer.text.contains(ALICE));
    }
    let two = Request::post("/mcp")
        .header("authorization", &bearer)
        .header("authorization", &bearer);
    let answer = edge.send(two, "{}").await;
    assert_eq!(answer.status, 400);
    assert!(
        answer
            .header("www-authenticate")
            .contains("error=\"invalid_request\"")
    );
    let basic = Request::post("/mcp").header("authorization", "Basic YTpi");
    assert_eq!(edge.send(basic, "{}").await.status, 401);
    assert_eq!(edge.auth.introspect.count(), 0);
}

#[tokio::test]
async fn an_active_token_is_introspected_once_and_an_inactive_one_each_time() {
    let edge = Harness::new().await;
    edge.caching().await;
    for _ in 0..3 {
        assert_eq!(edge.mcp(ALICE).await.status, 200);
    }
    assert_eq!(edge.auth.introspect.count(), 1);
    for _ in 0..2 {
        assert_eq!(edge.mcp("unknown").await.status, 401);
    }
    assert_eq!(edge.auth.introspect.count(), 3);
    edge.auth.knows("unknown", "bob");
    assert_eq!(edge.mcp("unknown").await.status, 200, "it became known");
}

#[tokio::test]
async fn requests_that_come_together_ask_once() {
    let edge = Harness::new().await;
    edge.caching().await;
    let answers = futures::future::join_all((0..20).map(|_| edge.mcp(ALICE))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(edge.auth.introspect.count(), 1);
}

#[tokio::test]
async fn a_revoked_token_is_forgotten_at_once() {
    let edge = Harness::new().await;
    edge.caching().await;
    edge.auth.knows("other", "alice");
    assert_eq!(
        (edge.mcp(ALICE).await.status, edge.mcp("other").await.status),
        (200, 200)
    );
    edge.auth.forgets(ALICE);
    assert_eq!(edge.mcp(ALICE).await.status, 200, "still remembered");
    edge.auth.tell(Event::RevokedTokenSha256(hash(ALICE)));
    wait_until_refused(&edge, ALICE).await;
    let asked = edge.auth.introspect.count();
    assert_eq!(edge.mcp("other").await.status, 200);
    assert_eq!(edge.auth.introspect.count(), asked, "others stay remembered");
}

#[tokio::test]
async fn all_tokens_of_a_revoked_grant_are_forgotten_at_once() {
    let edge = Harness::new().await;
    edge.caching().await;
    edge.auth.knows("second", "alice");
    edge.auth.knows("bobs", "bob");
    for token in [ALICE, "second", "bobs"] {
        assert_eq!(edge.mcp(token).await.status, 200);
    }
    edge.auth.forgets(ALICE);
    edge.auth.forgets("second");
    edge.auth.tell(Event::RevokedGrantId("grant-alice".to_owned()));
    wait_until_refused(&edge, ALICE).await;
    assert_eq!(edge.mcp("second").await.status, 401);
    let asked = edge.auth.introspect.count();
    assert_eq!(edge.mcp("bobs").await.status, 200);
    assert_eq!(edge.auth.introspect.count(), asked);
}

async fn wait_until_refused(edge: &Harness, token: &str) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(5);
    while edge.mcp(token).await.status != 401 {
        assert!(tokio::time::Instant::now() < deadline, "refused in time");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nothing_is_remembered_while_revocations_cannot_be_heard() {
    let edge = Harness::new().await;
    edge.caching().await;
    assert_eq!(edge.mcp(ALICE).await.status, 200);
    edge.auth.set_watchable(false);
    eventually("the watch falls", || !edge.state.authenticator.is_caching()).await;
    edge.auth.forgets(ALICE);
    assert_eq!(edge.mcp(ALICE).await.status, 401);
    edge.auth.knows(ALICE, "alice");
    let asked = edge.auth.introspect.count();
    for _ in 0..3 {
        assert_eq!(edge.mcp(ALICE).await.status, 200);
    }
    assert_eq!(edge.auth.introspect.count(), asked + 3);
    edge.auth.set_watchable(true);
    edge.caching().await;
    for _ in 0..3 {
        assert_eq!(edge.mcp(ALICE).await.status, 200);
    }
    assert_eq!(edge.auth.introspect.count(), asked + 4);
}

#[tokio::test]
async fn a_remembered_token_still_expires() {
    let config = EdgeConfig {
        token_cache_secs: "0.05".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = Harness::with(config).await;
    edge.caching().await;
    assert_eq!(edge.mcp(ALICE).await.status, 200);
    edge.auth.forgets(ALICE);
    wait_until_refused(&edge, ALICE).await;
}

#[tokio::test]
async fn without_the_auth_service_answers_are_503_and_name_no_internals() {
    let edge = Harness::new().await;
    edge.auth_stop.cancel();
    eventually("auth is gone", || {
        edge.state
            .dependencies
            .report()
            .any(|d| d.name == "auth" && !d.is_ready())
    })
    .await;
    let answer = edge.mcp(ALICE).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert_eq!(answer.json()["error"]["code"], -32603);
    assert!(!answer.text.contains("auth"), "{}", answer.text);
    // A client without a token still learns how to log in, as far as that is known.
    let answer = edge.send(Request::post("/mcp"), "{}").await;
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").contains("resource_metadata="));
}

#[tokio::test]
async fn with_auth_disabled_everybody_is_anonymous() {
    let config = EdgeConfig {
        auth_mode: "disabled".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = Harness::with(config).await;
    for authorization in ["", "Bearer whatever"] {
        let answer = edge
            .send(Request::post("/mcp").header("authorization", authorization), "{}")
            .await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "anonymous  2"));
    }
    for path in [
        "/authorize",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
    ] {
        assert_eq!(edge.get(path).await.status, 404, "{path}");
    }
    assert_eq!(edge.form("/token", "").await.status, 404);
}

#[tokio::test]
async fn a_token_bound_to_a_key_needs_a_proof_each_time() {
    let edge = Harness::new().await;
    edge.caching().await;
    let bound = IntrospectResponse {
        active: true,
        user_id: "alice".to_owned(),
        expires_at: i64::MAX,
        token_type: "DPoP".to_owned(),
        jkt: "thumbprint".to_owned(),
        ..IntrospectResponse::default()
    };
    edge.auth.says("bound", bound);
    assert_eq!(edge.mcp("bound").await.status, 401, "as a bearer token");
    for expected in [2, 3] {
        let request = Request::post("/mcp?x=1")
            .header("authorization", "DPoP bound")
            .header("dpop", "proof");
        assert_eq!(edge.send(request, "{}").await.status, 200);
        assert_eq!(edge.auth.introspect.count(), expected);
    }
    let proof = edge.auth.introspect.last().dpop.unwrap();
    assert_eq!(
        (proof.http_method.as_str(), proof.http_uri.as_str()),
        ("POST", "http://localhost:3232/mcp")
    );
    let refused = IntrospectResponse {
        error: Some(OAuthError {
            error: "use_dpop_nonce".to_owned(),
            dpop_nonce: "n".to_owned(),
            ..OAuthError::default()
        }),
        ..IntrospectResponse::default()
    };
    edge.auth.says("bound", refused);
    let request = Request::post("/mcp")
        .header("authorization", "DPoP bound")
        .header("dpop", "proof");
    let answer = edge.send(request, "{}").await;
    assert_eq!((answer.status, answer.header("dpop-nonce")), (401, "n"));
    assert!(
        answer
            .header("www-authenticate")
            .starts_with("DPoP error=\"use_dpop_nonce\"")
    );
}
