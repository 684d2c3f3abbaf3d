//! The pages of a login, used by somebody who was not sent there.

use http::Method;
use system_tests::Stack;

use super::wire::{Request, client};

/// Reference failures 26 and 27: callbacks that nobody began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_that_nobody_began_are_plain_error_pages() {
    let stack = Stack::builder().in_process().start().await.unwrap();
    let (client, origin) = (client(), stack.edge_url(0, ""));
    for path in [
        "/fakeupstreamauth/redirect",
        "/fakeupstreamauth/redirect?state=unknown&code=x",
        "/fakeupstreamauth/redirect?state=unknown&userId=alice",
        "/fakeupstreamauth/redirect?code=x",
        "/fakeupstreamauth/redirect?state=&code=",
        "/fakeupstreamauth/redirect?state=%00&code=%ff",
        "/fakeupstreamauth/redirect?error=access_denied&state=unknown",
        "/callback",
        "/callback?code=x&state=y",
    ] {
        let answer = Request::new(Method::GET, path).send(&client, &origin).await;
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        assert!(
            answer.header("content-type").unwrap().starts_with("text/html"),
            "{path}: {answer:?}"
        );
        assert_eq!(answer.header("location"), None, "{path}");
    }
    let alive = Request::new(Method::GET, "/readyz").open(&client, &origin).await;
    assert_eq!(alive.status(), 200);
}

/// Reference failures 28 and 34: nothing that came in is run, or redirected to, unless it was registered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_in_is_neither_run_nor_followed() {
    let stack = Stack::builder().in_process().start().await.unwrap();
    let (client, origin) = (client(), stack.edge_url(0, ""));
    let script = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        format!("/authorize?client_id={script}&redirect_uri={script}&state={script}&response_type=code"),
        format!("/authorize?client_id=x&redirect_uri=https://evil.example/{script}&response_type=code"),
        format!("/fakeupstreamauth/redirect?state={script}&error={script}&error_description={script}"),
        format!("/{script}"),
    ] {
        let answer = Request::new(Method::GET, &path).send(&client, &origin).await;
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        assert!(!answer.text().contains("<script>alert"), "{path}: {answer:?}");
        assert_eq!(answer.header("location"), None, "{path}");
    }
    // A form that sends on what it was called with, to a provider that knows no such client.
    let form = format!("/fakeupstreamauth/authorize?state={script}&redirect_uri=javascript:alert(1)");
    let page = Request::new(Method::GET, &form)
        .send(&client, &origin)
        .await
        .text();
    assert!(
        !page.contains("<script>alert") && !page.contains("\"javascript:"),
        "{page}"
    );
    let sent = client
        .post(format!("{origin}{form}"))
        .form(&[("user_id", "alice")])
        .send()
        .await
        .unwrap();
    assert!(
        sent.status().is_client_error() && !sent.headers().contains_key("location"),
        "{sent:?}"
    );
    for uri in [
        "file:///etc/passwd",
        "blob:x",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://evil.example/cb",
        "https://x/#f",
        "x",
        "",
    ] {
        let metadata = serde_json::json!({ "redirect_uris": [uri], "token_endpoint_auth_method": "none" });
        let answer = client
            .post(format!("{origin}/register"))
            .json(&metadata)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let error: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(status, 400, "{uri}: {error}");
        assert!(error["error"].is_string(), "{uri}: {error}");
    }
}
