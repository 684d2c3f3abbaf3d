//! Header injection, and hosts that are not ours.

use system_tests::REDIRECT_URI;

use super::target::{Answer, Target, changed, parameter};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn header_injection() {
    let target = Target::start().await;
    let client = target.client().await;
    let evil = "x\r\nSet-Cookie: evil=1\r\nLocation: https://evil.example/\r\n\r\n<html>";
    let request = target.request(&client);
    for name in [
        "state",
        "scope",
        "response_type",
        "redirect_uri",
        "client_id",
        "resource",
        "code_challenge",
        "prompt",
    ] {
        for value in [evil, "\n", "\r", "\0", "\u{2028}", "%0d%0aSet-Cookie:%20evil=1"] {
            let answer = target
                .get(target.authorize(&changed(request.clone(), name, value)))
                .await;
            let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
            assert!(
                cookies
                    .iter()
                    .all(|cookie| !cookie.to_str().unwrap().contains("evil")),
                "{name}: {answer:?}"
            );
            let location = answer.header("location");
            assert!(
                location.is_empty() || location.starts_with(REDIRECT_URI),
                "{name}: {location}"
            );
        }
    }
    // The state comes back as it was, whatever is in it.
    let back = target.follow("victim", &changed(request, "state", evil)).await;
    assert_eq!(parameter(&back, "state").as_deref(), Some(evil));
    assert!(back.as_str().starts_with(REDIRECT_URI));
    // Cookies of the login are taken for what they are, or not at all.
    for cookie in [
        "everything_login=x\"; Path=/",
        "everything_login=../../x",
        "everything_login=",
    ] {
        let page = target
            .http
            .get(target.authorize(&target.request(&client)))
            .header("cookie", cookie);
        let page = Answer::of(page).await;
        assert_eq!(page.status, 200);
        assert!(page.cookie().len() > 40, "{}", page.cookie());
    }
}

/// Addresses in documents are BASE_URI's, whatever a request says of itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_header_injection() {
    let target = Target::start().await;
    for (name, value) in [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "javascript"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-url", "/evil"),
        ("x-rewrite-url", "/evil"),
    ] {
        for path in [
            "/.well-known/oauth-authorization-server",
            "/.well-known/oauth-protected-resource/mcp",
            "/mcp",
            "/",
        ] {
            let answer = Answer::of(target.http.get(target.at(path)).header(name, value)).await;
            let headers = format!("{:?}", answer.headers);
            assert!(
                !answer.text.contains("evil.example") && !headers.contains("evil.example"),
                "{name} {path}: {answer:?}"
            );
        }
    }
}
