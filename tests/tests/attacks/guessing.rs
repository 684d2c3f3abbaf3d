//! Learning by asking often, or closely.

use std::time::{Duration, Instant};

use system_tests::{REDIRECT_URI, Stack};

use super::target::{Answer, Target};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enumeration_by_error_text() {
    let target = Target::start().await;
    let (client, _) = target.confidential().await;
    let unknown = "mcp_client_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    // Clients: those that are there with a wrong secret, and those that are not.
    for path in ["/token", "/introspect", "/revoke", "/par"] {
        let ask = async |client: &str| {
            let form = [
                ("grant_type", "client_credentials"),
                ("client_id", client),
                ("client_secret", "wrong"),
                ("token", "x"),
                ("redirect_uri", REDIRECT_URI),
            ];
            let answer = target.post(path, &form).await;
            (answer.status, answer.text)
        };
        assert_eq!(ask(&client).await, ask(unknown).await, "{path}");
    }
    // Codes and refresh tokens: unknown, somebody else's.
    let (public, other) = (target.client().await, target.client().await);
    let foreign = target.code("victim", &public).await;
    let tokens = target.log_in("victim", &public).await;
    let mut said = Vec::new();
    for (client, code) in [(&public, "unknown"), (&other, foreign.as_str())] {
        let answer = target.redeem(client, code).await;
        said.push((answer.status, answer.text));
    }
    assert!(said.iter().all(|answer| *answer == said[0]), "{said:?}");
    let mut said = Vec::new();
    for token in [tokens.refresh.as_str(), "unknown", "", &tokens.access] {
        if token.is_empty() {
            continue;
        }
        let answer = target.refresh(&other, token).await;
        said.push((answer.status, answer.text));
    }
    assert!(said.iter().all(|answer| *answer == said[0]), "{said:?}");
    // Access tokens.
    let mut said = Vec::new();
    for token in [
        "unknown",
        "mcp_at_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        &tokens.refresh,
    ] {
        let answer = target.use_token(token).await;
        said.push((
            answer.status,
            answer.header("www-authenticate").to_owned(),
            answer.text,
        ));
    }
    assert!(said.iter().all(|answer| *answer == said[0]), "{said:?}");
}

/// A wrong secret of a client that exists takes as long as any of one that does not. The bound is coarse, for busy
/// machines: it finds a slow hash or a call to somewhere, which are what can be measured from afar.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enumeration_by_timing() {
    const TIMES: usize = 60;
    let target = Target::start().await;
    let (client, _) = target.confidential().await;
    let unknown = "mcp_client_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut times = [Vec::new(), Vec::new()];
    // In turn, so that a busy moment hits both.
    for _ in 0..TIMES {
        for (times, client) in times.iter_mut().zip([client.as_str(), unknown]) {
            let form = [
                ("grant_type", "client_credentials"),
                ("client_id", client),
                ("client_secret", "wrong"),
            ];
            let began = Instant::now();
            target.post("/token", &form).await;
            times.push(began.elapsed());
        }
    }
    // The quickest of each: what else the machine does only adds.
    let [known, unknown] = times.map(|times| times.into_iter().min().unwrap());
    assert!(
        known.abs_diff(unknown) < Duration::from_millis(5),
        "{known:?} {unknown:?}"
    );
}

fn limited() -> system_tests::Builder {
    Stack::builder()
        .all_in_one()
        .setting("RATE_LIMIT_LOOPBACK", "true")
        .setting("TRUSTED_PROXIES", "127.0.0.1")
}

async fn guess(target: &Target, client: &str, secret: &str, address: &str) -> Answer {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", client),
        ("client_secret", secret),
        ("refresh_token", "x"),
    ];
    let request = target.http.post(target.at("/token")).form(&form);
    Answer::of(request.header("x-forwarded-for", address)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brute_force() {
    let target = Target::of(limited().setting("RATE_LIMIT_FAILURES", "5")).await;
    let (client, secret) = target.confidential().await;
    for _ in 0..5 {
        let answer = guess(&target, &client, "wrong", "192.0.2.1").await;
        assert_eq!(answer.error(), "invalid_client");
    }
    // Now not even the right one is looked at, and the answer says for how long.
    for guessed in ["wrong", &secret] {
        let answer = guess(&target, &client, guessed, "192.0.2.1").await;
        assert_eq!(answer.status, 429, "{answer:?}");
        let wait: u32 = answer.header("retry-after").parse().unwrap();
        assert!((1..=61).contains(&wait));
        let limit = answer.header("ratelimit");
        assert!(
            limit.contains("r=0") && limit.contains(&format!("t={wait}")),
            "{limit}"
        );
    }
    // The client itself, elsewhere, is not locked out, and the guesser cannot pretend to be elsewhere by a header more.
    let answer = guess(&target, &client, &secret, "198.51.100.7").await;
    assert_eq!(answer.error(), "invalid_grant");
    let answer = guess(&target, &client, "wrong", "198.51.100.9, 192.0.2.1").await;
    assert_eq!(answer.status, 429, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_lock_nobody_else_out() {
    let settings = [
        ("RATE_LIMIT_REGISTER", "3"),
        ("RATE_LIMIT_AUTHORIZE", "3"),
        ("RATE_LIMIT_TOKEN", "3"),
        ("RATE_LIMIT_INTROSPECT", "3"),
    ];
    let stack = settings
        .iter()
        .fold(limited(), |stack, (name, value)| stack.setting(name, value));
    let target = Target::of(stack).await;
    let metadata =
        serde_json::json!({ "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none" });
    let ask = async |path: &str, address: &str| {
        let request = match path {
            "/register" => target.http.post(target.at(path)).json(&metadata),
            "/authorize" => target.http.get(target.at("/authorize?client_id=x")),
            _ => target
                .http
                .post(target.at(path))
                .form(&[("client_id", "x"), ("token", "y")]),
        };
        Answer::of(request.header("x-forwarded-for", address)).await
    };
    for path in ["/register", "/authorize", "/token", "/introspect"] {
        for _ in 0..3 {
            assert_ne!(ask(path, "2001:db8::1").await.status, 429, "{path}");
        }
        // The whole network of the flood counts as one.
        for address in ["2001:db8::1", "2001:db8::2"] {
            assert_eq!(ask(path, address).await.status, 429, "{path}");
        }
        assert_ne!(ask(path, "2001:db8:1::1").await.status, 429, "{path}");
    }
}
