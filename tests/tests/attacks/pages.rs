//! What pages let others do to them.

use serde_json::json;
use system_tests::REDIRECT_URI;

use super::target::{Answer, Target, changed};

const SCRIPT: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clickjacking_and_security_headers() {
    let target = Target::start().await;
    let client = target.client().await;
    let consent = target.authorize(&target.request(&client)).to_string();
    for url in [
        consent,
        target.at("/"),
        target.at("/authorize"),
        target.at("/callback?code=x&state=y"),
        target.at("/fakeupstreamauth/authorize"),
        target.at("/nothing"),
        target.at("/mcp"),
        target.at("/sse"),
        target.at("/token"),
        target.at("/assets/style.css"),
        target.at("/assets/nothing"),
        target.at("/livez"),
        target.at("/.well-known/oauth-authorization-server"),
        target.at("/mcp?access_token=x"),
    ] {
        let answer = target.get(&url).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{url}: {answer:?}");
        assert!(policy.contains("default-src 'none'"), "{url}: {policy}");
        assert!(policy.contains("base-uri 'none'"), "{url}: {policy}");
        assert!(!policy.contains("unsafe-"), "{url}: {policy}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{url}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{url}");
        assert!(!answer.header("referrer-policy").is_empty(), "{url}");
        assert!(!answer.header("permissions-policy").is_empty(), "{url}");
        if answer.header("content-type").starts_with("text/html") {
            for inline in ["<style", "style=\"", " onclick", "<script>", "javascript:"] {
                assert!(!answer.text.contains(inline), "{url}: {inline}");
            }
        }
    }
}

fn assert_inert(what: &str, answer: &Answer) {
    assert!(
        !answer.text.contains("<script>alert") && !answer.text.contains("<img src=x"),
        "{what}: {answer:?}"
    );
    assert!(!answer.text.contains("\"'>"), "{what}: {answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xss_in_every_reflected_parameter() {
    let target = Target::start().await;
    let client = target.client().await;
    let request = target.request(&client);
    for name in [
        "response_type",
        "client_id",
        "redirect_uri",
        "state",
        "code_challenge",
        "code_challenge_method",
        "resource",
        "scope",
        "prompt",
        "response_mode",
        "request",
        "request_uri",
        "nonce",
        "login_hint",
        "dpop_jkt",
        SCRIPT,
    ] {
        let answer = target
            .get(target.authorize(&changed(request.clone(), name, SCRIPT)))
            .await;
        assert_inert(name, &answer);
    }
    for path in [
        "/callback",
        "/fakeupstreamauth/redirect",
        "/fakeupstreamauth/authorize",
        "/",
    ] {
        for name in [
            "code",
            "state",
            "error",
            "error_description",
            "iss",
            "user_id",
            "redirect_uri",
            SCRIPT,
        ] {
            let url = url::Url::parse_with_params(&target.at(path), [(name, SCRIPT)]).unwrap();
            assert_inert(&format!("{path} {name}"), &target.get(url).await);
        }
    }
    for name in ["transaction", "csrf_token", "decision", "user_id", SCRIPT] {
        for path in ["/authorize/consent", "/fakeupstreamauth/authorize"] {
            let request = target.http.post(target.at(path)).header("origin", &target.origin);
            let answer = Answer::of(request.form(&[(name, SCRIPT)])).await;
            assert_inert(&format!("{path} {name}"), &answer);
        }
    }
    let path = format!("/{}", SCRIPT.replace(['"', ' ', '<', '>'], "%3C"));
    assert_inert("path", &target.get(target.at(&path)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xss_in_every_client_metadata_field() {
    let target = Target::start().await;
    for (field, value) in [
        ("client_name", json!(SCRIPT)),
        ("client_uri", json!(format!("https://app.example/{SCRIPT}"))),
        ("client_uri", json!("javascript:alert(1)")),
        ("logo_uri", json!("javascript:alert(1)")),
        ("logo_uri", json!(format!("https://app.example/{SCRIPT}"))),
        ("tos_uri", json!("data:text/html,<script>alert(1)</script>")),
        ("policy_uri", json!("javascript:alert(1)")),
        ("contacts", json!([SCRIPT])),
        ("scope", json!(SCRIPT)),
        ("software_id", json!(SCRIPT)),
        ("software_version", json!(SCRIPT)),
        (
            "redirect_uris",
            json!([REDIRECT_URI, format!("https://app.example/{SCRIPT}")]),
        ),
        (SCRIPT, json!(SCRIPT)),
    ] {
        let mut metadata = json!({ "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none" });
        metadata[field] = value;
        let registered = target.register(&metadata).await;
        assert!(registered.header("content-type").starts_with("application/json"));
        if registered.status != 201 {
            assert_eq!(registered.status, 400, "{field}: {registered:?}");
            continue;
        }
        let client = registered.json();
        let request = target.request(client["client_id"].as_str().unwrap());
        let page = target.get(target.authorize(&request)).await;
        assert_inert(field, &page);
        assert!(!page.text.contains("javascript:"), "{field}: {}", page.text);
    }
}
