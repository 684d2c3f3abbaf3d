use system_tests::{RedisMonitor, Stack};

use super::target::{Target, VERIFIER};

/// Whoever watches Redis, or steals its data, sees nothing that opens a door.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_monitor_shows_no_secret() {
    let target = Target::of(Stack::builder().in_process().redis()).await;
    let monitor = RedisMonitor::begin(&target.stack).await.unwrap();

    let (confidential, client_secret) = target.confidential().await;
    let client = target.client().await;
    let code = target.code("victim", &client).await;
    let tokens = target.redeem(&client, &code).await.tokens();
    assert_eq!(target.use_token(&tokens.access).await.status, 200);
    let refreshed = target.refresh(&client, &tokens.refresh).await.tokens();
    assert_eq!(
        target.refresh(&client, &tokens.refresh).await.error(),
        "invalid_grant"
    );
    target.dies(&refreshed.access).await;

    let seen = monitor.end(&target.stack).await.unwrap().join("\n");
    assert!(seen.contains("auth:"), "nothing was watched");
    assert!(!confidential.is_empty());
    for secret in [
        &client_secret,
        &code,
        &tokens.access,
        &tokens.refresh,
        &refreshed.access,
        &refreshed.refresh,
        VERIFIER,
    ] {
        assert!(
            secret.len() >= 32 && !seen.contains(secret),
            "a secret is in sight"
        );
    }
}
