use axum::body::Body;
use base64::{Engine, engine::general_purpose::STANDARD};
use everything_proto::auth::v1::{
    BeginAuthorizationResponse, CompleteUpstreamResponse, ConsentPrompt, DecideConsentResponse, Deleted,
    ErrorPage, ExchangeTokenResponse, FakeAuthorizeResponse, IntrospectResponse, OAuthError, Parameter,
    PushedAuthorization, Redirect, RegisterClientResponse, RevokeResponse, begin_authorization_response,
    complete_upstream_response, decide_consent_response, exchange_token_response, fake_authorize_response,
    introspect_request::Caller, register_client_request::Operation, register_client_response,
};
use http::Request;
use serde_json::json;
use tonic::Status;

use crate::{EdgeConfig, testing::Harness};

fn pairs(parameters: &[Parameter]) -> Vec<(&str, &str)> {
    parameters
        .iter()
        .map(|parameter| (parameter.name.as_str(), parameter.value.as_str()))
        .collect()
}

fn error(code: &str) -> OAuthError {
    OAuthError {
        error: code.to_owned(),
        error_description: "because".to_owned(),
        ..OAuthError::default()
    }
}

fn redirect(location: &str) -> Redirect {
    Redirect {
        location: location.to_owned(),
        browser_session: "browser".to_owned(),
        browser_session_max_age_s: 600,
    }
}

fn prompt() -> ConsentPrompt {
    ConsentPrompt {
        transaction: "the-transaction".to_owned(),
        csrf_token: "the-csrf-token".to_owned(),
        client_name: "Inspector".to_owned(),
        redirect_host: "localhost:6274".to_owned(),
        browser_session: "browser".to_owned(),
        browser_session_max_age_s: 600,
        ..ConsentPrompt::default()
    }
}

#[tokio::test]
async fn authorize_shows_the_consent_page_and_binds_the_browser() {
    let edge = Harness::new().await;
    let outcome = begin_authorization_response::Outcome::Consent(prompt());
    edge.auth.begin.answers(Ok(BeginAuthorizationResponse {
        outcome: Some(outcome),
    }));
    let path = "/authorize?client_id=c&redirect_uri=http%3A%2F%2Flocalhost%3A6274%2Fcb&resource=a&resource=b";
    let request = Request::get(path).header("cookie", "x=y; everything_login=before");
    let answer = edge.send(request, Body::empty()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("set-cookie"),
        "everything_login=browser; Path=/; HttpOnly; SameSite=Lax; Max-Age=600"
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("form-action 'self' https: http://localhost:6274;"),
        "{policy}"
    );
    for part in [
        "value=\"the-transaction\"",
        "value=\"the-csrf-token\"",
        "action=\"/authorize/consent\"",
    ] {
        assert!(answer.text.contains(part), "{part}");
    }
    let asked = edge.auth.begin.last();
    assert_eq!(asked.browser_session, "before");
    assert!(!asked.pushed);
    assert_eq!(
        pairs(&asked.parameters),
        [
            ("client_id", "c"),
            ("redirect_uri", "http://localhost:6274/cb"),
            ("resource", "a"),
            ("resource", "b")
        ]
    );
}

#[tokio::test]
async fn over_https_the_cookie_is_secure_and_bound_to_the_host() {
    let config = EdgeConfig {
        base_uri: Some("https://mcp.example.com".to_owned()),
        ..EdgeConfig::default()
    };
    let edge = Harness::with(config).await;
    let outcome = begin_authorization_response::Outcome::Consent(prompt());
    edge.auth.begin.answers(Ok(BeginAuthorizationResponse {
        outcome: Some(outcome),
    }));
    assert_eq!(
        edge.get("/authorize").await.header("set-cookie"),
        "__Host-everything_login=browser; Path=/; HttpOnly; SameSite=Lax; Max-Age=600; Secure"
    );
}

#[tokio::test]
async fn authorize_redirects_or_shows_what_is_wrong() {
    let edge = Harness::new().await;
    let answers = |outcome| {
        edge.auth.begin.answers(Ok(BeginAuthorizationResponse {
            outcome: Some(outcome),
        }))
    };
    answers(begin_authorization_response::Outcome::Redirect(redirect(
        "http://localhost:1/cb?code=c&iss=i",
    )));
    let answer = edge.get("/authorize?client_id=c").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, "http://localhost:1/cb?code=c&iss=i")
    );
    assert_eq!(answer.header("cache-control"), "no-store");

    answers(begin_authorization_response::Outcome::ErrorPage(ErrorPage {
        status: 400,
        title: "Unknown <client>".to_owned(),
        message: "Register \"first\" & come back".to_owned(),
    }));
    let answer = edge.get("/authorize").await;
    assert_eq!((answer.status, answer.header("location")), (400, ""));
    assert!(
        answer.text.contains("<h1>Unknown &#60;client&#62;</h1>"),
        "{}",
        answer.text
    );

    // A location that is no header value must not split the response.
    answers(begin_authorization_response::Outcome::Redirect(redirect(
        "http://x/\r\nset-cookie: a=b",
    )));
    let answer = edge.get("/authorize").await;
    assert_eq!((answer.status, answer.header("set-cookie")), (500, ""));

    edge.auth
        .begin
        .answers(Ok(BeginAuthorizationResponse { outcome: None }));
    assert_eq!(edge.get("/authorize").await.status, 500);
    edge.auth
        .begin
        .answers(Err(Status::unavailable("redis at 10.0.0.1 is down")));
    let answer = edge.get("/authorize").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert!(!answer.text.contains("redis"));
}

#[tokio::test]
async fn consent_is_only_taken_from_our_own_page() {
    let edge = Harness::new().await;
    let outcome = decide_consent_response::Outcome::Redirect(redirect("/fakeupstreamauth/authorize?state=s"));
    edge.auth.decide.answers(Ok(DecideConsentResponse {
        outcome: Some(outcome),
    }));
    let form = "transaction=t&csrf_token=c&decision=approve";
    let post = |headers: &[(&str, &str)]| {
        let request = Request::post("/authorize/consent")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .header("cookie", "everything_login=browser");
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        edge.send(request, form)
    };
    let answer = post(&[
        ("origin", "http://localhost:3232"),
        ("sec-fetch-site", "same-origin"),
    ])
    .await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/fakeupstreamauth/authorize?state=s")
    );
    let asked = edge.auth.decide.last();
    assert_eq!(
        (asked.transaction.as_str(), asked.csrf_token.as_str()),
        ("t", "c")
    );
    assert_eq!(
        (asked.approved, asked.browser_session.as_str()),
        (true, "browser")
    );

    for headers in [
        // Loopback pages may call MCP, but not decide for the user.
        &[("origin", "http://localhost:6274")][..],
        &[("origin", "null")],
        &[("origin", "http://evil.example.com")],
        &[("sec-fetch-site", "cross-site")],
        &[
            ("origin", "http://localhost:3232"),
            ("sec-fetch-site", "same-site"),
        ],
    ] {
        assert_eq!(post(headers).await.status, 403, "{headers:?}");
    }
    assert_eq!(edge.auth.decide.count(), 1);
    // By another of our own names, and from a program.
    let names = [("host", "127.0.0.1:3232"), ("origin", "http://127.0.0.1:3232")];
    assert_eq!(post(&names).await.status, 303);
    assert_eq!(post(&[]).await.status, 303);
}

#[tokio::test]
async fn anything_but_a_clear_yes_denies() {
    let edge = Harness::new().await;
    for form in [
        "",
        "decision=",
        "decision=deny",
        "decision=Approve",
        "decision=deny&decision=approve",
    ] {
        edge.form("/authorize/consent", form).await;
        assert!(!edge.auth.decide.last().approved, "{form}");
    }
}

#[tokio::test]
async fn the_upstream_redirect_completes_the_login_at_both_addresses() {
    let edge = Harness::new().await;
    let outcome = complete_upstream_response::Outcome::Redirect(redirect("cursor://cb?code=c"));
    edge.auth.complete.answers(Ok(CompleteUpstreamResponse {
        outcome: Some(outcome),
    }));
    for path in [
        "/fakeupstreamauth/redirect?code=a&state=b",
        "/callback?code=a&state=b",
    ] {
        let answer = edge.get(path).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (302, "cursor://cb?code=c"),
            "{path}"
        );
        assert_eq!(
            pairs(&edge.auth.complete.last().parameters),
            [("code", "a"), ("state", "b")]
        );
    }
    let page = ErrorPage {
        status: 400,
        title: "Expired".to_owned(),
        message: "Start again".to_owned(),
    };
    let outcome = complete_upstream_response::Outcome::ErrorPage(page);
    edge.auth.complete.answers(Ok(CompleteUpstreamResponse {
        outcome: Some(outcome),
    }));
    let answer = edge.get("/callback?state=unknown").await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("Start again"));
}

#[tokio::test]
async fn the_fake_provider_is_told_who_and_what_it_was_asked() {
    let edge = Harness::new().await;
    let outcome = fake_authorize_response::Outcome::Redirect(redirect("/fakeupstreamauth/redirect?code=c"));
    edge.auth.fake.answers(Ok(FakeAuthorizeResponse {
        outcome: Some(outcome),
    }));
    let path = "/fakeupstreamauth/authorize?client_id=us&state=%3Cs%3E&user_id=query";
    let page = edge.get(path).await;
    assert!(
        page.text
            .contains("action=\"/fakeupstreamauth/authorize?client_id=us&#38;state=%3Cs%3E"),
        "{}",
        page.text
    );
    let answer = edge.form(path, "user_id=%20alice%20").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/fakeupstreamauth/redirect?code=c")
    );
    let asked = edge.auth.fake.last();
    assert_eq!(asked.user_id, "alice");
    assert_eq!(
        pairs(&asked.parameters),
        [("client_id", "us"), ("state", "<s>"), ("user_id", "query")]
    );

    let long = format!("user_id={}", "a".repeat(129));
    for form in [
        "",
        "user_id=",
        "user_id=+++",
        "user_id=a%00b",
        "user_id=a%0Ab",
        &long,
    ] {
        assert_eq!(edge.form(path, form).await.status, 400, "{form:.20}");
    }
    assert_eq!(edge.auth.fake.count(), 1);
    edge.auth
        .fake
        .answers(Err(Status::unimplemented("not configured")));
    assert_eq!(edge.form(path, "user_id=alice").await.status, 404);
}

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
async fn garbage_reaches_the_service_as_text_and_nothing_breaks() {
    let edge = Harness::new().await;
    for garbage in [
        &b"%ff%fe=\xff&&==&%"[..],
        b"\0\0",
        b"&&&&",
        "é=\u{1f600}".as_bytes(),
    ] {
        for path in ["/token", "/revoke", "/introspect", "/par", "/authorize/consent"] {
            let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
            let answer = edge.send(request, garbage).await;
            // The script decides nothing, so 200 or 500 comes from it; what counts is that there is an answer.
            assert!([200, 500].contains(&answer.status), "{path} {}", answer.status);
        }
    }
    for query in ["%ff%00", "a=%zz&&=", "redirect_uri=javascript:alert(1)"] {
        assert_eq!(
            edge.get(&format!("/authorize?{query}")).await.status,
            500,
            "{query}"
        );
    }
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

#[tokio::test]
async fn clients_register_and_manage_their_registration() {
    let edge = Harness::new().await;
    let client = register_client_response::Outcome::ClientJson(br#"{"client_id":"c"}"#.as_slice().into());
    edge.auth.register.answers(Ok(RegisterClientResponse {
        outcome: Some(client),
    }));
    let json_type = ("content-type", "application/json; charset=utf-8");
    let request = Request::post("/register").header(json_type.0, json_type.1);
    let answer = edge.send(request, r#"{"redirect_uris":[]}"#).await;
    assert_eq!((answer.status, answer.json()), (201, json!({ "client_id": "c" })));
    assert_eq!(answer.header("cache-control"), "no-store");
    let asked = edge.auth.register.last();
    assert_eq!(asked.operation(), Operation::Create);
    assert_eq!(&asked.metadata_json[..], br#"{"redirect_uris":[]}"#);

    let managed = |method| {
        Request::builder()
            .method(method)
            .uri("/register/c%20d")
            .header("authorization", "Bearer r")
    };
    assert_eq!(edge.send(managed("GET"), Body::empty()).await.status, 200);
    let asked = edge.auth.register.last();
    assert_eq!(
        (asked.operation(), asked.client_id.as_str()),
        (Operation::Read, "c d")
    );
    assert_eq!(asked.registration_access_token, "r");
    let put = managed("PUT").header(json_type.0, json_type.1);
    assert_eq!(edge.send(put, "{}").await.status, 200);
    assert_eq!(edge.auth.register.last().operation(), Operation::Update);
    let deleted = register_client_response::Outcome::Deleted(Deleted {});
    edge.auth.register.answers(Ok(RegisterClientResponse {
        outcome: Some(deleted),
    }));
    let answer = edge.send(managed("DELETE"), Body::empty()).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(edge.auth.register.last().operation(), Operation::Delete);

    let asked = edge.auth.register.count();
    let answer = edge.get("/register/c").await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (401, Some("invalid_token"))
    );
    assert_eq!(
        edge.form("/register", "a=b").await.json()["error"],
        "invalid_request"
    );
    assert_eq!(edge.auth.register.count(), asked);
    let refused = register_client_response::Outcome::Error(error("invalid_redirect_uri"));
    edge.auth.register.answers(Ok(RegisterClientResponse {
        outcome: Some(refused),
    }));
    let request = Request::post("/register").header(json_type.0, json_type.1);
    let answer = edge.send(request, "not even json").await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (400, Some("invalid_redirect_uri"))
    );
}

#[tokio::test]
async fn discovery_documents_are_where_clients_look() {
    let edge = Harness::new().await;
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/mcp",
        "/mcp/.well-known/openid-configuration",
    ] {
        let answer = edge.get(path).await;
        assert_eq!(
            (answer.status, answer.json()["issuer"].as_str()),
            (200, Some("http://localhost:3232")),
            "{path}"
        );
    }
    for (path, resource) in [
        (
            "/.well-known/oauth-protected-resource",
            "http://localhost:3232/mcp",
        ),
        (
            "/.well-known/oauth-protected-resource/mcp",
            "http://localhost:3232/mcp",
        ),
        (
            "/.well-known/oauth-protected-resource/sse",
            "http://localhost:3232/sse",
        ),
    ] {
        assert_eq!(
            edge.get(path).await.json(),
            json!({ "resource": resource, "x": 1 }),
            "{path}"
        );
    }
    assert_eq!(edge.auth.metadata.count(), 1, "remembered");
}

#[tokio::test]
async fn in_external_mode_only_the_resource_is_described_here() {
    let config = EdgeConfig {
        auth_mode: "external".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = Harness::with(config).await;
    assert_eq!(
        edge.get("/.well-known/oauth-protected-resource/mcp").await.status,
        200
    );
    for path in ["/authorize", "/callback", "/fakeupstreamauth/authorize"] {
        assert_eq!(edge.get(path).await.status, 404, "{path}");
    }
    assert_eq!(edge.form("/token", "").await.status, 404);
}

#[tokio::test]
async fn while_the_auth_service_is_away_oauth_clients_are_told_to_come_back() {
    let edge = Harness::new().await;
    for rpc in [Status::unavailable("x"), Status::deadline_exceeded("x")] {
        edge.auth.exchange.answers(Err(rpc));
        let answer = edge.form("/token", "").await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
        assert_eq!(answer.json()["error"], "temporarily_unavailable");
    }
}
