use axum::body::Body;
use everything_proto::auth::v1::{
    BeginAuthorizationResponse, CompleteUpstreamResponse, DecideConsentResponse, ErrorPage,
    FakeAuthorizeResponse, begin_authorization_response, complete_upstream_response, decide_consent_response,
    fake_authorize_response,
};
use http::Request;
use tonic::Status;

use super::{pairs, prompt, redirect};
use crate::{EdgeConfig, testing::Harness};

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
        policy.contains("form-action 'self' https: http: http://localhost:6274;"),
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
