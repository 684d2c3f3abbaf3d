//! Tokens in the wrong hands, and in the wrong places.

use futures::future::join_all;
use serde_json::json;
use system_tests::Stack;

use super::target::{Answer, Target, changed, parameter};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refresh_theft_ends_the_family() {
    let target = Target::start().await;
    let client = target.client().await;
    let first = target.log_in("victim", &client).await;
    let second = target.refresh(&client, &first.refresh).await.tokens();
    assert_eq!(target.use_token(&second.access).await.status, 200);
    // The thief comes second, or the victim does: either way nobody keeps anything.
    assert_eq!(
        target.refresh(&client, &first.refresh).await.error(),
        "invalid_grant"
    );
    assert_eq!(
        target.refresh(&client, &second.refresh).await.error(),
        "invalid_grant"
    );
    for token in [&first.access, &second.access] {
        target.dies(token).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refresh_theft_at_the_same_instant_on_two_replicas() {
    let target = Target::of(Stack::builder().in_process().redis().edges(2).replicas(2)).await;
    let client = target.client().await;
    let first = target.log_in("victim", &client).await;
    let answers = join_all((0..20).map(|_| target.refresh(&client, &first.refresh))).await;
    let got: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert!(got.len() <= 1, "{got:?}");
    for answer in got {
        let tokens = answer.tokens();
        assert_eq!(
            target.refresh(&client, &tokens.refresh).await.error(),
            "invalid_grant"
        );
        target.dies(&tokens.access).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cross_client_token_use() {
    let target = Target::start().await;
    let (victim, attacker) = (target.client().await, target.client().await);
    let (confidential, secret) = target.confidential().await;
    let tokens = target.log_in("victim", &victim).await;
    assert_eq!(
        target.refresh(&attacker, &tokens.refresh).await.error(),
        "invalid_grant"
    );
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", confidential.as_str()),
        ("client_secret", &secret),
        ("refresh_token", &tokens.refresh),
    ];
    assert_eq!(target.post("/token", &form).await.error(), "invalid_grant");
    // Revoking what is not one's own looks like success, and does nothing (RFC 7009 section 2.2).
    for token in [&tokens.access, &tokens.refresh] {
        target
            .post("/revoke", &[("client_id", &attacker), ("token", token)])
            .await;
    }
    assert_eq!(target.use_token(&tokens.access).await.status, 200);
    // Nor does a client learn of another's token.
    let form = [
        ("client_id", confidential.as_str()),
        ("client_secret", &secret),
        ("token", &tokens.access),
    ];
    let answer = target.post("/introspect", &form).await;
    assert!(
        answer.status != 200 || answer.json() == json!({ "active": false }),
        "{answer:?}"
    );
    let anonymous = [("token", tokens.access.as_str())];
    assert_eq!(target.post("/introspect", &anonymous).await.status, 401);
    let public = [("token", tokens.access.as_str()), ("client_id", &attacker)];
    assert_eq!(target.post("/introspect", &public).await.status, 401);
    target.refresh(&victim, &tokens.refresh).await.tokens();
}

/// A session belongs to its user, whatever the client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cross_user_token_use() {
    let target = Target::start().await;
    let client = target.client().await;
    let victim = target.log_in("victim", &client).await;
    let attacker = target.log_in("attacker", &client).await;
    let session = target.use_token(&victim.access).await;
    let session = session.header("mcp-session-id");
    assert!(!session.is_empty());
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    for (token, status) in [(&attacker.access, 404), (&victim.access, 200)] {
        let request = target
            .http
            .post(target.at("/mcp"))
            .header("accept", "application/json, text/event-stream")
            .header("authorization", format!("Bearer {token}"))
            .header("mcp-session-id", session)
            .header("mcp-protocol-version", "2025-11-25")
            .json(&list);
        assert_eq!(Answer::of(request).await.status, status);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audience_confusion() {
    let stack = Stack::builder()
        .all_in_one()
        .setting("ADDITIONAL_RESOURCES", "https://other.example/mcp");
    let target = Target::of(stack).await;
    let client = target.client().await;
    let request = target.request(&client);
    // Resources that are not known here.
    for resource in [
        "https://evil.example/mcp",
        "/mcp",
        "mcp",
        &format!("{}/mcp#x", target.origin),
        &format!("{}/mcp/../admin", target.origin),
        &format!("{}.evil.example/mcp", target.origin),
    ] {
        let answer = target
            .get(target.authorize(&changed(request.clone(), "resource", resource)))
            .await;
        let back = answer.header("location").parse().unwrap();
        assert_eq!(
            parameter(&back, "error").as_deref(),
            Some("invalid_target"),
            "{resource}"
        );
    }
    // A token for somebody else is refused here.
    let other = changed(request, "resource", "https://other.example/mcp");
    let back = target.follow("victim", &other).await;
    let code = parameter(&back, "code").unwrap();
    let resource = [("resource", "https://other.example/mcp")];
    let tokens = target.redeem_with(&client, &code, &resource).await.tokens();
    let refused = target.use_token(&tokens.access).await;
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").contains("invalid_token"));
    // And does not turn into one for here, neither when redeemed nor when refreshed.
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", client.as_str()),
        ("refresh_token", &tokens.refresh),
        ("resource", &target.at("/mcp")),
    ];
    assert_eq!(target.post("/token", &form).await.error(), "invalid_target");
    let back = target.follow("victim", &other).await;
    let code = parameter(&back, "code").unwrap();
    assert_eq!(target.redeem(&client, &code).await.error(), "invalid_target");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_in_query_string() {
    let target = Target::start().await;
    let client = target.client().await;
    let tokens = target.log_in("victim", &client).await;
    for path in ["/mcp", "/sse", "/message"] {
        for name in ["access_token", "access%5Ftoken"] {
            let url = target.at(&format!("{path}?{name}={}", tokens.access));
            let request = match path {
                "/sse" => target.http.get(url),
                _ => target.http.post(url).json(&json!({})),
            };
            // Even beside a good header.
            let request = request.header("authorization", format!("Bearer {}", tokens.access));
            assert_eq!(Answer::of(request).await.status, 400, "{path} {name}");
        }
    }
    // Nor in a form, nor in a cookie.
    let form = target
        .http
        .post(target.at("/mcp"))
        .form(&[("access_token", &tokens.access)]);
    assert_eq!(Answer::of(form).await.status, 401);
    let cookie = target
        .call()
        .header("cookie", format!("access_token={}", tokens.access));
    assert_eq!(Answer::of(cookie).await.status, 401);
}

/// Every secret is good for one thing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_kind_of_secret_for_another() {
    let target = Target::start().await;
    let client = target.client().await;
    let code = target.code("victim", &client).await;
    assert_eq!(target.use_token(&code).await.status, 401);
    let tokens = target.redeem(&client, &code).await.tokens();
    assert_eq!(target.use_token(&tokens.refresh).await.status, 401);
    assert_eq!(target.use_token(&client).await.status, 401);
    assert_eq!(
        target.refresh(&client, &tokens.access).await.error(),
        "invalid_grant"
    );
    assert_eq!(
        target.redeem(&client, &tokens.refresh).await.error(),
        "invalid_grant"
    );
    assert_eq!(target.use_token(&tokens.access).await.status, 200);
}
