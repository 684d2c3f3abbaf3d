//! Redirect URIs that are almost the registered one.

use serde_json::json;

use super::target::{Target, changed};

const REGISTERED: &str = "https://app.example/callback";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirect_uri_variants_and_open_redirects() {
    let target = Target::start().await;
    let metadata =
        json!({ "redirect_uris": [REGISTERED, "http://127.0.0.1/cb"], "token_endpoint_auth_method": "none" });
    let client = target.register(&metadata).await.json();
    let request = target.request(client["client_id"].as_str().unwrap());
    for uri in [
        // suffix
        "https://app.example/callback/",
        "https://app.example/callbackx",
        "https://app.example/callback/../evil",
        "https://app.example/callback%2f..%2fevil",
        "https://app.example/callback?x=1",
        "https://app.example.evil.example/callback",
        "https://app.example@evil.example/callback",
        "https://evilapp.example/callback",
        // user information
        "https://user@app.example/callback",
        "https://user:pass@app.example/callback",
        "https://app.example:443@evil.example/callback",
        // fragment
        "https://app.example/callback#",
        "https://app.example/callback#x",
        // port
        "https://app.example:8443/callback",
        "https://app.example:443/callback",
        // unicode and case
        "https://app.ex\u{430}mple/callback",
        "https://app.example/c\u{e5}llback",
        "https://app\u{3002}example/callback",
        "https://APP.example/callback",
        "HTTPS://app.example/callback",
        "https://app.example/Callback",
        // other schemes and parsers
        "http://app.example/callback",
        "//app.example/callback",
        "https:/app.example/callback",
        "https:\\\\app.example\\callback",
        "https://app.example\\@evil.example/callback",
        " https://app.example/callback",
        "https://app.example/callback\t",
        "https://app.example/callback\0",
        "javascript:alert(1)",
        "data:text/html,x",
        // open redirects
        "https://evil.example/",
        "/authorize",
        "https://app.example/go?to=https://evil.example",
        // loopback: any port, but no other host, path or scheme
        "http://127.0.0.1:1234/other",
        "http://127.0.0.2:1234/cb",
        "http://localhost.evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1:1234@evil.example/cb",
        "https://127.0.0.1:1234/cb",
    ] {
        let answer = target
            .get(target.authorize(&changed(request.clone(), "redirect_uri", uri)))
            .await;
        assert!(answer.is_dead_end(), "{uri:?}: {answer:?}");
    }
    let mut twice = changed(request.clone(), "redirect_uri", REGISTERED);
    twice.push(("redirect_uri".to_owned(), "https://evil.example/".to_owned()));
    assert!(target.get(target.authorize(&twice)).await.is_dead_end());
    // And the honest ones.
    for uri in [
        REGISTERED,
        "http://127.0.0.1/cb",
        "http://127.0.0.1:1/cb",
        "http://127.0.0.1:65535/cb",
    ] {
        let answer = target
            .get(target.authorize(&changed(request.clone(), "redirect_uri", uri)))
            .await;
        assert_eq!(answer.status, 200, "{uri}: {answer:?}");
    }
}

/// What a client registers may not be something that a browser runs, or that everybody can listen at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirect_uris_that_cannot_be_registered() {
    let target = Target::start().await;
    for uri in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://app.example/x",
        "about:blank",
        "http://app.example/callback",
        "https://app.example/callback#x",
        "https://user:pass@app.example/callback",
        "https://*.example/callback",
        "/callback",
        "callback",
        "",
        " ",
    ] {
        let answer = target.register(&json!({ "redirect_uris": [uri] })).await;
        assert_eq!(answer.status, 400, "{uri:?}: {answer:?}");
        assert!(answer.json()["error"].is_string());
    }
}
