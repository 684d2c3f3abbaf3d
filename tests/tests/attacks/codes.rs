//! Authorization codes in the wrong hands, at the wrong time.

use futures::future::join_all;
use system_tests::{REDIRECT_URI, Stack};

use super::target::{Answer, Target, changed, parameter};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_injection() {
    let target = Target::start().await;
    let (victim, attacker) = (target.client().await, target.client().await);
    // Another client's code.
    let code = target.code("victim", &victim).await;
    assert_eq!(target.redeem(&attacker, &code).await.error(), "invalid_grant");
    // A stolen code, without the verifier that stayed with the client.
    for verifier in ["", "a", &"b".repeat(43), &"c".repeat(129)] {
        let code = target.code("victim", &victim).await;
        let answer = target
            .redeem_with(&victim, &code, &[("code_verifier", verifier)])
            .await;
        assert!(
            ["invalid_grant", "invalid_request"].contains(&answer.error().as_str()),
            "{answer:?}"
        );
    }
    // For another redirect URI.
    for uri in ["http://127.0.0.1:8976/other", "https://evil.example/callback"] {
        let code = target.code("victim", &victim).await;
        let answer = target.redeem_with(&victim, &code, &[("redirect_uri", uri)]).await;
        assert_eq!(answer.error(), "invalid_grant", "{uri}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_replay_revokes_what_the_first_use_got() {
    let target = Target::start().await;
    let client = target.client().await;
    let code = target.code("victim", &client).await;
    let tokens = target.redeem(&client, &code).await.tokens();
    assert_eq!(target.use_token(&tokens.access).await.status, 200);
    assert_eq!(target.redeem(&client, &code).await.error(), "invalid_grant");
    target.dies(&tokens.access).await;
    assert_eq!(
        target.refresh(&client, &tokens.refresh).await.error(),
        "invalid_grant"
    );
}

/// Twenty at the same instant, over two edges and two replicas of the auth service on one Redis.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_replay_at_the_same_instant_on_two_replicas() {
    let target = Target::of(Stack::builder().in_process().redis().edges(2).replicas(2)).await;
    let client = target.client().await;
    for _ in 0..5 {
        let code = target.code("victim", &client).await;
        let answers = join_all((0..20).map(|_| target.redeem(&client, &code))).await;
        let (got, refused): (Vec<Answer>, Vec<Answer>) =
            answers.into_iter().partition(|answer| answer.status == 200);
        assert!(got.len() <= 1, "{got:?}");
        for answer in refused {
            assert_eq!(answer.error(), "invalid_grant");
        }
        for answer in got {
            let tokens = answer.tokens();
            target.dies(&tokens.access).await;
            assert_eq!(
                target.refresh(&client, &tokens.refresh).await.error(),
                "invalid_grant"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pkce_downgrade() {
    let target = Target::start().await;
    let client = target.client().await;
    let request = target.request(&client);
    for (name, value) in [
        ("code_challenge", ""),
        ("code_challenge", "short"),
        ("code_challenge_method", ""),
        ("code_challenge_method", "plain"),
        ("code_challenge_method", "s256"),
        ("code_challenge_method", "S512"),
    ] {
        let answer = target
            .get(target.authorize(&changed(request.clone(), name, value)))
            .await;
        let back = answer.header("location").parse().unwrap();
        assert_eq!(
            parameter(&back, "error").as_deref(),
            Some("invalid_request"),
            "{name}={value}"
        );
        assert_eq!(parameter(&back, "code"), None);
    }
    // Sent twice, the second could win.
    let mut twice = request.clone();
    twice.push(("code_challenge_method".to_owned(), "plain".to_owned()));
    let answer = target.get(target.authorize(&twice)).await;
    assert!(
        answer.header("location").contains("error=invalid_request"),
        "{answer:?}"
    );
    // The challenge itself is no verifier.
    let code = target.code("victim", &client).await;
    let challenge = &request
        .iter()
        .find(|(name, _)| name == "code_challenge")
        .unwrap()
        .1;
    let answer = target
        .redeem_with(&client, &code, &[("code_verifier", challenge)])
        .await;
    assert_eq!(answer.error(), "invalid_grant");
}

/// RFC 9207: whoever gets a response can tell from whom.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mix_up() {
    let target = Target::start().await;
    let client = target.client().await;
    let request = target.request(&client);
    let good = target.follow("victim", &request).await;
    let bad = changed(request.clone(), "response_type", "token");
    let bad = target.get(target.authorize(&bad)).await;
    let silent = changed(request.clone(), "prompt", "none");
    let silent = target.get(target.authorize(&silent)).await;
    let page = target.get(target.authorize(&request)).await;
    let denied = Answer::of(
        target
            .http
            .post(target.at("/authorize/consent"))
            .header("cookie", page.cookie())
            .header("origin", &target.origin)
            .form(&[
                ("transaction", page.field("transaction")),
                ("csrf_token", page.field("csrf_token")),
                ("decision", "deny".to_owned()),
            ]),
    )
    .await;
    let responses = [&bad, &silent, &denied].map(|answer| answer.header("location").parse().unwrap());
    for response in responses.iter().chain([&good]) {
        assert!(response.as_str().starts_with(REDIRECT_URI), "{response}");
        let issuers: Vec<_> = response.query_pairs().filter(|(name, _)| name == "iss").collect();
        assert_eq!(issuers.len(), 1, "{response}");
        assert_eq!(issuers[0].1, target.origin);
        assert_eq!(parameter(response, "state").as_deref(), Some("the state"));
    }
    let metadata = target
        .get(target.at("/.well-known/oauth-authorization-server"))
        .await
        .json();
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(metadata["issuer"], target.origin.as_str());
}
