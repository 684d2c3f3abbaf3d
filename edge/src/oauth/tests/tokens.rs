use base64::{Engine, engine::general_purpose::STANDARD};
use everything_proto::auth::v1::{
    BeginAuthorizationResponse, ExchangeTokenResponse, IntrospectResponse, OAuthError, PushedAuthorization,
    RevokeResponse, begin_authorization_response, exchange_token_response, introspect_request::Caller,
};
use http::Request;
use serde_json::json;

use super::{error, pairs};
use crate::testing::Harness;

#[tokio::test]
async fn tokens_are_exchanged_and_never_cached() {
    let edge = Harness::new().await;
    let outcome = exchange_token_response::Outcome::TokenJson(br#"{"access_token":"t"}"#.as_slice().into());
    edge.auth.exchange.answers(Ok(ExchangeTokenResponse {
        outcome: Some(outcome),
    }));
    let basic = format!("Basic {}", STANDARD.encode("client%3A1:s%20ecret"));
    let request = Request::post("/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", basic)
        .header("dpop", "proof");
    let answer = edge
        .send(
            request,
            "grant_type=authorization_code&code=c&resource=a&resource=b",
        )
        .await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "access_token": "t" }))
    );
    assert_eq!(
        (answer.header("cache-control"), answer.header("pragma")),
        ("no-store", "no-cache")
    );
    let asked = edge.auth.exchange.last();
    let basic = asked.client_authentication.unwrap().basic.unwrap();
    assert_eq!(
        (basic.client_id.as_str(), basic.client_secret.as_str()),
        ("client:1", "s ecret")
    );
    let proof = asked.dpop.unwrap();
    assert_eq!(
        (proof.http_method.as_str(), proof.http_uri.as_str()),
        ("POST", "http://localhost:3232/token")
    );
    assert_eq!(asked.parameters.len(), 4);
}

#[tokio::test]
async fn oauth_errors_have_the_status_that_the_rfcs_give_them() {
    let edge = Harness::new().await;
    let limited = OAuthError {
        retry_after_s: 7,
        ..error("slow_down")
    };
    let nonce = OAuthError {
        dpop_nonce: "n".to_owned(),
        ..error("use_dpop_nonce")
    };
    for (error, status, header, value) in [
        (error("invalid_grant"), 400, "cache-control", "no-store"),
        (error("unsupported_grant_type"), 400, "www-authenticate", ""),
        (
            error("invalid_client"),
            401,
            "www-authenticate",
            "Basic realm=\"oauth\", charset=\"UTF-8\"",
        ),
        (error("server_error"), 500, "retry-after", ""),
        (error("temporarily_unavailable"), 503, "retry-after", ""),
        (limited, 429, "retry-after", "7"),
        (nonce, 400, "dpop-nonce", "n"),
    ] {
        let outcome = exchange_token_response::Outcome::Error(error.clone());
        edge.auth.exchange.answers(Ok(ExchangeTokenResponse {
            outcome: Some(outcome),
        }));
        let answer = edge.form("/token", "grant_type=x").await;
        assert_eq!(
            (answer.status, answer.header(header)),
            (status, value),
            "{error:?}"
        );
        assert_eq!(
            answer.json(),
            json!({ "error": error.error, "error_description": "because" })
        );
    }
}

#[tokio::test]
async fn what_is_no_form_or_no_client_is_refused_before_the_service_is_asked() {
    let edge = Harness::new().await;
    for path in ["/token", "/revoke", "/introspect", "/par"] {
        let answer = edge
            .send(
                Request::post(path).header("content-type", "application/json"),
                "{}",
            )
            .await;
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (400, Some("invalid_request")),
            "{path}"
        );
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", "Basic !!!");
        let answer = edge.send(request, "").await;
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (401, Some("invalid_client")),
            "{path}"
        );
        assert!(answer.header("www-authenticate").starts_with("Basic "), "{path}");
        let flood = "a=b&".repeat(200);
        assert_eq!(edge.form(path, &flood).await.status, 400, "{path}");
    }
    let asked = edge.auth.exchange.count() + edge.auth.revoke.count() + edge.auth.begin.count();
    assert_eq!(asked + edge.auth.introspect.count(), 0);
}

#[tokio::test]
async fn authorization_requests_can_be_pushed() {
    let edge = Harness::new().await;
    let pushed = PushedAuthorization {
        request_uri: "urn:x".to_owned(),
        expires_in_s: 60,
    };
    let outcome = begin_authorization_response::Outcome::Pushed(pushed);
    edge.auth.begin.answers(Ok(BeginAuthorizationResponse {
        outcome: Some(outcome),
    }));
    let answer = edge.form("/par", "client_id=c").await;
    assert_eq!(
        (answer.status, answer.json()),
        (201, json!({ "request_uri": "urn:x", "expires_in": 60 }))
    );
    assert!(edge.auth.begin.last().pushed);
}

#[tokio::test]
async fn revocation_says_nothing_about_what_there_was() {
    let edge = Harness::new().await;
    let answer = edge.form("/revoke", "token=t").await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    edge.auth.revoke.answers(Ok(RevokeResponse {
        error: Some(error("unsupported_token_type")),
    }));
    assert_eq!(edge.form("/revoke", "token=t").await.status, 400);
}

#[tokio::test]
async fn introspection_answers_clients_that_prove_who_they_are() {
    let edge = Harness::new().await;
    let active = IntrospectResponse {
        active: true,
        user_id: "alice".to_owned(),
        client_id: "c".to_owned(),
        scopes: vec!["a".to_owned(), "b".to_owned()],
        audience: vec!["http://localhost:3232/mcp".to_owned()],
        issuer: "http://localhost:3232".to_owned(),
        expires_at: 2,
        issued_at: 1,
        token_type: "Bearer".to_owned(),
        grant_id: "secret".to_owned(),
        ..IntrospectResponse::default()
    };
    edge.auth.says("t", active);
    let answer = edge
        .form("/introspect", "token=t&token_type_hint=access_token")
        .await;
    assert_eq!(
        answer.json(),
        json!({
            "active": true, "scope": "a b", "client_id": "c", "sub": "alice", "token_type": "Bearer", "exp": 2,
            "iat": 1, "iss": "http://localhost:3232", "aud": ["http://localhost:3232/mcp"],
        })
    );
    let asked = edge.auth.introspect.last();
    assert!(matches!(asked.caller, Some(Caller::ClientAuthentication(_))));
    assert_eq!(
        pairs(&asked.parameters),
        [("token", "t"), ("token_type_hint", "access_token")]
    );
    assert_eq!(
        edge.form("/introspect", "token=x").await.json(),
        json!({ "active": false })
    );
    let refused = IntrospectResponse {
        error: Some(error("invalid_client")),
        ..IntrospectResponse::default()
    };
    edge.auth.introspect.answers(Ok(refused));
    assert_eq!(edge.form("/introspect", "token=x").await.status, 401);
}
