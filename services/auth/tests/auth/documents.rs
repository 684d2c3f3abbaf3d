//! Clients whose id is the URL of their metadata.

use everything_auth::Config;
use everything_proto::auth::v1::begin_authorization_response::Outcome;
use serde_json::json;

use crate::harness::*;
use crate::keys::{Key, now, unique};
use crate::web::Web;

async fn development() -> Stack {
    Stack::memory_with(Config {
        client_documents_from_loopback: true,
        ..Config::default()
    })
    .await
}

async fn is_refused(stack: &mut Stack, client_id: &str) -> bool {
    matches!(stack.begin(&authorization_request(client_id), "").await, Outcome::ErrorPage(page) if page.status == 400)
}

#[tokio::test]
async fn a_client_logs_in_by_the_url_of_its_document() {
    let web = Web::start().await;
    let client_id = web.url("/client.json");
    let document = json!({"client_id": client_id, "client_name": "Documented", "redirect_uris": [REDIRECT]});
    web.serve("/client.json", "max-age=600", &document);
    let mut stack = development().await;
    let prompt = stack.consent(&authorization_request(&client_id)).await;
    assert_eq!(
        (prompt.client_name.as_str(), &prompt.client_id),
        ("Documented", &client_id)
    );
    let tokens = stack.log_in(&client_id, "alice").await;
    let tokens = stack.refresh(&client_id, refresh(&tokens)).await.unwrap();
    assert_eq!(stack.introspect(access(&tokens)).await.client_id, client_id);
    // Remembered, as its cache headers allow.
    assert_eq!(web.times("/client.json"), 1);
}

#[tokio::test]
async fn a_document_that_must_not_be_kept_is_not() {
    let web = Web::start().await;
    let client_id = web.url("/client.json");
    let mut document = json!({"client_id": client_id, "redirect_uris": [REDIRECT]});
    web.serve("/client.json", "no-store", &document);
    let mut stack = development().await;
    stack.consent(&authorization_request(&client_id)).await;
    document["redirect_uris"] = json!(["https://app.example/elsewhere"]);
    web.serve("/client.json", "no-store", &document);
    assert!(is_refused(&mut stack, &client_id).await);
}

#[tokio::test]
async fn unusable_documents_are_refused_and_not_asked_for_again_and_again() {
    let web = Web::start().await;
    let mut stack = development().await;
    let good = |path: &str| json!({"client_id": web.url(path), "redirect_uris": [REDIRECT]});
    web.serve("/other.json", "max-age=60", &good("/not-other.json"));
    web.answer(
        "/html",
        "200 OK\r\ncontent-type: text/html",
        &good("/html").to_string(),
    );
    web.answer(
        "/error",
        "500 Error\r\ncontent-type: application/json",
        &good("/error").to_string(),
    );
    web.serve("/target", "max-age=60", &good("/moved"));
    web.answer(
        "/moved",
        &format!("302 Found\r\nlocation: {}", web.url("/target")),
        "",
    );
    let mut large = good("/large");
    large["client_name"] = json!("x".repeat(100));
    large["padding"] = json!("x".repeat(200_000));
    web.serve("/large", "max-age=60", &large);
    for path in ["/other.json", "/html", "/error", "/moved", "/large", "/missing"] {
        let client_id = web.url(path);
        for _ in 0..3 {
            assert!(is_refused(&mut stack, &client_id).await, "{path}");
        }
        assert_eq!(web.times(path), 1, "{path}");
    }
    // Redirects are not followed.
    assert_eq!(web.times("/target"), 0);
}

#[tokio::test]
async fn nothing_on_this_machine_is_read_unless_configured() {
    let web = Web::start().await;
    let client_id = web.url("/client.json");
    web.serve(
        "/client.json",
        "max-age=60",
        &json!({"client_id": client_id, "redirect_uris": [REDIRECT]}),
    );
    let mut stack = Stack::memory().await;
    assert!(is_refused(&mut stack, &client_id).await);
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "2130706433",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        let client_id = format!("https://{host}:{}/client.json", web.port());
        assert!(is_refused(&mut stack, &client_id).await, "{host}");
    }
    assert_eq!(web.times("/client.json"), 0);
    assert!(web.was_never_asked());
}

#[tokio::test]
async fn keys_of_a_document_rotate() {
    let web = Web::start().await;
    let client_id = web.url("/client.json");
    let jwks_uri = web.url("/jwks.json");
    web.serve(
        "/client.json",
        "max-age=600",
        &json!({
            "client_id": client_id,
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks_uri": jwks_uri,
        }),
    );
    let (first, second) = (Key::generate(), Key::generate());
    web.serve("/jwks.json", "no-store", &first.jwks());
    let mut stack = development().await;
    let code = stack.code(&client_id, "alice").await;
    let assertion = |key: &Key| {
        key.assertion(&json!({
            "iss": client_id, "sub": client_id, "aud": BASE, "exp": now() + 60, "jti": unique(),
        }))
    };
    let request = |token: &str, code: &str| {
        code_request(&client_id, code)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .chain([
                (
                    "client_assertion_type".to_owned(),
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
                ),
                ("client_assertion".to_owned(), token.to_owned()),
            ])
            .collect::<Vec<_>>()
    };
    let mut send = async |request: Vec<(String, String)>| {
        let request: Vec<(&str, &str)> = request.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        stack.exchange(&request).await
    };
    assert_eq!(
        send(request(&assertion(&second), &code)).await.unwrap_err().error,
        "invalid_client"
    );
    web.serve("/jwks.json", "no-store", &second.jwks());
    send(request(&assertion(&second), &code)).await.unwrap();
}
