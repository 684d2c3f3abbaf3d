use everything_proto::auth::v1::{
    BeginAuthorizationResponse, ConsentPrompt, ErrorPage, begin_authorization_response::Outcome,
};

use crate::{
    EdgeConfig,
    testing::{Harness, eventually},
};

const ATTACK: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>";

/// What an attack leaves in a page that does not escape.
fn assert_escaped(html: &str) {
    assert!(!html.contains("<script>alert"), "{html}");
    assert!(!html.contains("<img src=x"), "{html}");
    assert!(!html.contains("\"'>"), "{html}");
}

#[tokio::test]
async fn nothing_that_a_client_names_itself_is_markup_on_the_consent_page() {
    let edge = Harness::new().await;
    let attack = || ATTACK.to_owned();
    let prompt = ConsentPrompt {
        transaction: attack(),
        csrf_token: attack(),
        client_id: attack(),
        client_name: attack(),
        client_uri: "javascript:alert(1)".to_owned(),
        redirect_host: attack(),
        loopback_redirect: true,
        scopes: vec![attack(), "mcp:tools".to_owned()],
        resource: attack(),
        browser_session: attack(),
        browser_session_max_age_s: 1,
    };
    edge.auth.begin.answers(Ok(BeginAuthorizationResponse {
        outcome: Some(Outcome::Consent(prompt)),
    }));
    let answer = edge
        .get("/authorize?redirect_uri=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")
        .await;
    assert_eq!(answer.status, 200);
    assert_escaped(&answer.text);
    assert!(!answer.text.contains("javascript:"));
    assert!(
        answer.text.contains("&#60;script&#62;alert(1)"),
        "it is shown as text"
    );
    assert!(answer.text.contains("Any program here could have asked"));
    assert!(answer.text.contains("Use tools"));
    assert_eq!(
        answer.header("set-cookie"),
        "",
        "no cookie that could split the header"
    );
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("script-src 'self';") && policy.contains("form-action 'self' https: http:;"),
        "{policy}"
    );
}

#[tokio::test]
async fn a_client_without_a_name_is_called_by_its_id() {
    let edge = Harness::new().await;
    let prompt = ConsentPrompt {
        client_id: "the-id".to_owned(),
        client_uri: "https://client.example/about".to_owned(),
        ..ConsentPrompt::default()
    };
    edge.auth.begin.answers(Ok(BeginAuthorizationResponse {
        outcome: Some(Outcome::Consent(prompt)),
    }));
    let html = edge.get("/authorize").await.text;
    assert!(html.contains("<bdi>the-id</bdi>"));
    assert!(html.contains("href=\"https://client.example/about\""));
    assert!(!html.contains("Any program here"));
}

#[tokio::test]
async fn nothing_in_a_query_is_markup_on_the_login_page() {
    let edge = Harness::new().await;
    let answer = edge
        .get("/fakeupstreamauth/authorize?state='%22%3E%3Cscript%3Ealert(1)&x='onfocus=alert(1)")
        .await;
    assert_eq!(answer.status, 200);
    assert_escaped(&answer.text);
    assert!(!answer.text.contains("'onfocus"), "{}", answer.text);
}

#[tokio::test]
async fn error_pages_escape_and_keep_a_sane_status() {
    let edge = Harness::new().await;
    for (status, expected) in [
        (404, 404),
        (503, 503),
        (200, 400),
        (302, 400),
        (0, 400),
        (99_999, 400),
    ] {
        let page = ErrorPage {
            status,
            title: ATTACK.to_owned(),
            message: ATTACK.to_owned(),
        };
        edge.auth.begin.answers(Ok(BeginAuthorizationResponse {
            outcome: Some(Outcome::ErrorPage(page)),
        }));
        let answer = edge.get("/authorize").await;
        assert_eq!(answer.status, expected, "{status}");
        assert_escaped(&answer.text);
    }
}

#[tokio::test]
async fn pages_have_nothing_inline_and_all_their_files() {
    let edge = Harness::new().await;
    let prompt = Outcome::Consent(ConsentPrompt::default());
    edge.auth.begin.answers(Ok(BeginAuthorizationResponse {
        outcome: Some(prompt),
    }));
    for path in ["/", "/authorize", "/fakeupstreamauth/authorize?x=y", "/nothing"] {
        let answer = edge.get(path).await;
        let html = &answer.text;
        assert!(html.starts_with("<!doctype html>"), "{path}");
        assert!(
            html.contains("<html lang=\"en\">") && html.contains("name=\"viewport\""),
            "{path}"
        );
        for inline in ["style=", "<style", "onclick", "<script>", "javascript:"] {
            assert!(!html.contains(inline), "{inline} on {path}");
        }
        let files: Vec<_> = html
            .split('"')
            .filter(|part| part.starts_with("/assets/"))
            .collect();
        assert!(files.len() >= 2, "{path}");
        for file in files {
            let asset = edge.get(file).await;
            assert_eq!(asset.status, 200, "{file}");
            assert_eq!(
                asset.header("cache-control"),
                "public, max-age=31536000, immutable"
            );
            assert_eq!(asset.header("x-content-type-options"), "nosniff");
        }
    }
    assert_eq!(
        edge.get("/assets/style.css").await.status,
        404,
        "names carry their hash"
    );
    assert_eq!(edge.get("/assets/..%2F..%2FCargo.toml").await.status, 404);
}

#[tokio::test]
async fn the_splash_page_says_how_to_connect() {
    let config = EdgeConfig {
        base_uri: Some("https://mcp.example.com".to_owned()),
        ..EdgeConfig::default()
    };
    let html = Harness::with(config).await.get("/").await.text;
    for part in [
        "https://mcp.example.com/mcp",
        "https://mcp.example.com/sse",
        "claude mcp add --transport http everything https://mcp.example.com/mcp",
        "&#34;servers&#34;",
        "&#34;mcpServers&#34;",
        "npx @modelcontextprotocol/inspector",
        "curl -i https://mcp.example.com/mcp",
    ] {
        assert!(html.contains(part), "{part}\n{html}");
    }
    assert!(html.contains("OAuth 2.1"));
    let config = EdgeConfig {
        auth_mode: "disabled".to_owned(),
        ..EdgeConfig::default()
    };
    let html = Harness::with(config).await.get("/").await.text;
    assert!(html.contains("Login is off") && !html.contains("OAuth 2.1"));
}

#[tokio::test]
async fn readiness_names_what_is_missing_and_liveness_does_not_care() {
    let edge = Harness::new().await;
    let answer = edge.get("/readyz").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    let body = answer.json();
    assert_eq!(body["status"], "not ready");
    assert_eq!(body["dependencies"]["auth"], "ok");
    assert_ne!(body["dependencies"]["session"], "ok");
    assert_ne!(body["dependencies"]["feature"], "ok");
    assert_eq!(edge.get("/livez").await.status, 200);
    edge.auth_stop.cancel();
    eventually("auth is gone", || {
        edge.state
            .dependencies
            .report()
            .all(|dependency| !dependency.is_ready())
    })
    .await;
    assert_ne!(edge.get("/readyz").await.json()["dependencies"]["auth"], "ok");
    edge.shut_down();
    assert_eq!(edge.get("/readyz").await.json()["status"], "shutting down");
}
