//! Forms that other sites send, and logins that other people began.

use system_tests::Browser;

use super::target::{Answer, Target};

async fn decide(target: &Target, cookie: &str, origin: Option<&str>, form: &[(&str, &str)]) -> Answer {
    let mut request = target.http.post(target.at("/authorize/consent")).form(form);
    if !cookie.is_empty() {
        request = request.header("cookie", cookie);
    }
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    Answer::of(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn csrf_on_consent() {
    let target = Target::start().await;
    let client = target.client().await;
    let page = target.get(target.authorize(&target.request(&client))).await;
    let other = target.get(target.authorize(&target.request(&client))).await;
    let (transaction, csrf) = (page.field("transaction"), page.field("csrf_token"));
    let other_csrf = other.field("csrf_token");
    let here = Some(target.origin.as_str());
    let form = |transaction, csrf| {
        [
            ("transaction", transaction),
            ("csrf_token", csrf),
            ("decision", "approve"),
        ]
    };
    let good = form(&transaction, &csrf);
    for (what, answer) in [
        (
            "another site",
            decide(&target, &page.cookie(), Some("https://evil.example"), &good).await,
        ),
        (
            "a sandboxed frame",
            decide(&target, &page.cookie(), Some("null"), &good).await,
        ),
        ("no cookie", decide(&target, "", here, &good).await),
        (
            "another browser",
            decide(&target, &other.cookie(), here, &good).await,
        ),
        (
            "no csrf token",
            decide(&target, &page.cookie(), here, &form(&transaction, "")).await,
        ),
        (
            "a wrong csrf token",
            decide(&target, &page.cookie(), here, &form(&transaction, "x")).await,
        ),
        (
            "the csrf token of another page",
            decide(&target, &page.cookie(), here, &form(&transaction, &other_csrf)).await,
        ),
        (
            "an unknown transaction",
            decide(&target, &page.cookie(), here, &form("x", &csrf)).await,
        ),
    ] {
        assert!(answer.status.is_client_error(), "{what}: {answer:?}");
        assert_eq!(answer.header("location"), "", "{what}");
    }
    // Not by GET either.
    let query = format!("/authorize/consent?transaction={transaction}&csrf_token={csrf}&decision=approve");
    assert_eq!(target.get(target.at(&query)).await.status, 405);
}

/// Somebody else's login, finished in the victim's browser, would make the victim work as the attacker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_csrf() {
    let target = Target::start().await;
    let client = target.client().await;
    let page = target.get(target.authorize(&target.request(&client))).await;
    let (transaction, csrf) = (page.field("transaction"), page.field("csrf_token"));
    let form = [
        ("transaction", transaction.as_str()),
        ("csrf_token", &csrf),
        ("decision", "approve"),
    ];
    let onward = decide(&target, &page.cookie(), Some(&target.origin), &form).await;
    assert_eq!(onward.status, 303);
    // The attacker logs in upstream and keeps the last redirect for the victim.
    let login = onward.header("location").to_owned();
    let request = target
        .http
        .post(login)
        .header("origin", &target.origin)
        .form(&[("user_id", "attacker")]);
    let callback = Answer::of(request).await.header("location").to_owned();
    assert!(callback.contains("code="), "{callback}");
    let victim = target.get(&callback).await;
    assert!(victim.is_dead_end(), "{victim:?}");
    let other = target.get(target.authorize(&target.request(&client))).await;
    let request = target.http.get(&callback).header("cookie", other.cookie());
    let victim = Answer::of(request).await;
    assert!(victim.is_dead_end(), "{victim:?}");
    // An honest login in between is not disturbed.
    let mut browser = Browser::of("honest").unwrap();
    browser
        .follow(target.authorize(&target.request(&client)))
        .await
        .unwrap();
}
