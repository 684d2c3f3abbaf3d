use std::process::Stdio;

use system_tests::Stack;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::{Duration, timeout},
};

use super::target::{Target, VERIFIER};

/// Whoever watches Redis, or steals its data, sees nothing that opens a door.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_monitor_shows_no_secret() {
    let target = Target::of(Stack::builder().in_process().redis()).await;
    let redis = target.stack.redis().unwrap();
    let mut monitor = Command::new("redis-cli")
        .args(["-u", &redis.url(), "MONITOR"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(monitor.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "OK");

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

    // The last word, so that everything before it was seen.
    let _: i64 = redis.command(&["PUBLISH", "the-end", "x"]).await;
    let mut seen = String::new();
    let watched = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            seen.push_str(&line);
            seen.push('\n');
            if line.contains("the-end") {
                return;
            }
        }
    };
    timeout(Duration::from_secs(10), watched).await.unwrap();

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
