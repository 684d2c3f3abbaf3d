//! Login at a real identity provider, by configuration alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use everything_auth::{Config, UpstreamConfig};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::harness::*;
use crate::web::Web;

async fn provider() -> Web {
    let web = Web::start().await;
    web.serve(
        "/.well-known/openid-configuration",
        "max-age=60",
        &json!({
            "issuer": web.url(""),
            "authorization_endpoint": web.url("/auth"),
            "token_endpoint": web.url("/token"),
            "userinfo_endpoint": web.url("/me"),
        }),
    );
    web.serve(
        "/token",
        "no-store",
        &json!({"access_token": "upstream token", "token_type": "Bearer"}),
    );
    web.serve("/me", "no-store", &json!({"sub": "user-1", "name": "Somebody"}));
    web
}

fn discovered(web: &Web) -> Config {
    let upstream = UpstreamConfig {
        upstream_client_id: Some("us".to_owned()),
        upstream_client_secret: "our secret".parse().ok(),
        upstream_issuer: web.url("").parse().ok(),
        ..UpstreamConfig::default()
    };
    Config {
        upstream,
        ..Config::default()
    }
}

/// Goes to the provider; answers the page's address and the browser's cookie.
async fn go(stack: &mut Stack, client_id: &str) -> (Url, String) {
    let prompt = stack.consent(&authorization_request(client_id)).await;
    let browser = prompt.browser_session.clone();
    (stack.decide(&prompt, true, &browser).await.unwrap(), browser)
}

async fn come_back(stack: &mut Stack, state: &str, more: &str, browser: &str) -> Url {
    let url: Url = format!("{BASE}/callback?state={state}&{more}").parse().unwrap();
    stack.callback(&url, browser).await.unwrap()
}

#[tokio::test]
async fn users_log_in_at_an_openid_provider() {
    let web = provider().await;
    let mut stack = Stack::memory_with(discovered(&web)).await;
    let client_id = stack.public_client().await;
    let (page, browser) = go(&mut stack, &client_id).await;
    assert!(page.as_str().starts_with(&web.url("/auth?")), "{page}");
    assert_eq!(query(&page, "client_id").unwrap(), "us");
    assert_eq!(query(&page, "scope").unwrap(), "openid");
    assert_eq!(query(&page, "redirect_uri").unwrap(), format!("{BASE}/callback"));
    assert_eq!(query(&page, "code_challenge_method").unwrap(), "S256");

    let state = query(&page, "state").unwrap();
    let issuer = web.url("");
    let response = come_back(&mut stack, &state, &format!("code=abc&iss={issuer}"), &browser).await;
    let code = query(&response, "code").unwrap();
    let tokens = stack.exchange(&code_request(&client_id, &code)).await.unwrap();
    assert_eq!(stack.introspect(access(&tokens)).await.user_id, "user-1");

    let request = web.last("/token");
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    // us:our+secret
    assert!(head.contains("Basic dXM6b3VyK3NlY3JldA=="), "{head}");
    let form: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let sent = |name: &str| {
        form.iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.clone())
            .unwrap()
    };
    assert_eq!(sent("code"), "abc");
    assert_eq!(sent("redirect_uri"), format!("{BASE}/callback"));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(sent("code_verifier")));
    assert_eq!(challenge, query(&page, "code_challenge").unwrap());
    assert!(
        web.last("/me")
            .to_lowercase()
            .contains("authorization: bearer upstream token")
    );
}

#[tokio::test]
async fn users_log_in_at_a_provider_without_metadata() {
    let web = provider().await;
    web.serve("/me", "no-store", &json!({"id": 583_231, "login": "octocat"}));
    let upstream = UpstreamConfig {
        upstream_client_id: Some("us".to_owned()),
        upstream_authorization_endpoint: web.url("/auth").parse().ok(),
        upstream_token_endpoint: web.url("/token").parse().ok(),
        upstream_userinfo_endpoint: web.url("/me").parse().ok(),
        upstream_user_id_claim: Some("id".to_owned()),
        upstream_scopes: Some("read:user".to_owned()),
        ..UpstreamConfig::default()
    };
    let mut stack = Stack::memory_with(Config {
        upstream,
        ..Config::default()
    })
    .await;
    let client_id = stack.public_client().await;
    let (page, browser) = go(&mut stack, &client_id).await;
    assert_eq!(query(&page, "scope").unwrap(), "read:user");
    let state = query(&page, "state").unwrap();
    let response = come_back(&mut stack, &state, "code=abc", &browser).await;
    let code = query(&response, "code").unwrap();
    let tokens = stack.exchange(&code_request(&client_id, &code)).await.unwrap();
    assert_eq!(stack.introspect(access(&tokens)).await.user_id, "583231");
    assert_eq!(web.times("/.well-known/openid-configuration"), 0);
}

#[tokio::test]
async fn what_goes_wrong_upstream_is_told_to_the_client() {
    let web = provider().await;
    let mut stack = Stack::memory_with(discovered(&web)).await;
    let client_id = stack.public_client().await;
    for (more, error) in [
        ("error=access_denied", "access_denied"),
        ("error=temporarily_unavailable", "temporarily_unavailable"),
        (
            "error=server_error&error_description=%3Cscript%3E",
            "server_error",
        ),
        // Mix-up: the answer of another provider.
        ("code=abc&iss=https://evil.example", "access_denied"),
        ("", "access_denied"),
    ] {
        let (page, browser) = go(&mut stack, &client_id).await;
        let state = query(&page, "state").unwrap();
        let response = come_back(&mut stack, &state, more, &browser).await;
        assert_eq!(query(&response, "error").unwrap(), error, "{more}");
        assert_eq!(query(&response, "iss").unwrap(), BASE);
        assert!(!response.as_str().contains("%3Cscript"));
    }
    assert_eq!(web.times("/token"), 0);
    for (head, body, error) in [
        (
            "400 Bad Request",
            r#"{"error": "invalid_grant"}"#,
            "access_denied",
        ),
        ("500 Error", "down", "temporarily_unavailable"),
        ("302 Found\r\nlocation: /elsewhere", "", "temporarily_unavailable"),
    ] {
        web.answer(
            "/token",
            &format!("{head}\r\ncontent-type: application/json"),
            body,
        );
        let (page, browser) = go(&mut stack, &client_id).await;
        let state = query(&page, "state").unwrap();
        let response = come_back(&mut stack, &state, "code=abc", &browser).await;
        assert_eq!(query(&response, "error").unwrap(), error, "{head}");
    }
    assert_eq!(web.times("/elsewhere"), 0);
}

#[tokio::test]
async fn a_provider_that_is_away_or_somebody_else_ends_the_login_politely() {
    let web = provider().await;
    let elsewhere = json!({
        "issuer": "https://evil.example",
        "authorization_endpoint": "https://evil.example/auth",
        "token_endpoint": "https://evil.example/token",
        "userinfo_endpoint": "https://evil.example/me",
    });
    for away in [true, false] {
        if away {
            web.forget("/.well-known/openid-configuration");
        } else {
            web.serve("/.well-known/openid-configuration", "max-age=60", &elsewhere);
        }
        let mut stack = Stack::memory_with(discovered(&web)).await;
        let client_id = stack.public_client().await;
        let (response, _) = go(&mut stack, &client_id).await;
        assert!(response.as_str().starts_with(REDIRECT), "{response}");
        assert_eq!(query(&response, "error").unwrap(), "temporarily_unavailable");
    }
}
