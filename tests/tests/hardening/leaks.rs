//! What must not stay behind, nor get out.

use std::time::Duration;

use http::Method;
use serde_json::json;
use system_tests::Stack;

use super::{
    faults::{Monitor, descriptors, pid, redis_connections, token, until},
    wire::{NEWEST, Session},
};

const PROCESSES: [&str; 3] = ["edge-0", "edge-1", "session-0"];

fn threads(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count()
}

async fn channels(stack: &Stack, pattern: &str) -> usize {
    let channels: Vec<String> = stack
        .redis()
        .unwrap()
        .command(&["PUBSUB", "CHANNELS", pattern])
        .await;
    channels.len()
}

/// Reference failure 5: streams that were closed leave nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_streams_leave_nothing_behind() {
    let stack = Stack::builder()
        .processes()
        .redis()
        .edges(2)
        .auth_disabled()
        .setting("SESSION_CACHE_SECS", "1")
        .start()
        .await
        .unwrap();
    let measure = |name: &str| {
        let pid = pid(&stack, name);
        (descriptors(pid), threads(pid))
    };
    let warm = Session::begin(&stack.edge_url(0, ""), None, NEWEST).await;
    drop((
        warm.listen().await,
        warm.at(&stack.edge_url(1, "")).listen().await,
    ));
    warm.echoes().await.unwrap();
    let before = PROCESSES.map(measure);
    let connections = redis_connections(&stack).await;

    for _ in 0..3 {
        let mut streams = Vec::new();
        let mut sessions = Vec::new();
        for _ in 0..20 {
            let session = Session::begin(&stack.edge_url(0, ""), None, NEWEST).await;
            streams.push(session.listen().await);
            streams.push(session.at(&stack.edge_url(1, "")).listen().await);
            sessions.push(session);
        }
        assert!(channels(&stack, "mcp:shttp:toserver:*").await >= 20);
        let during = redis_connections(&stack).await;
        assert!(
            during <= connections,
            "{connections} connections to redis became {during}"
        );
        drop(streams);
        // Half of the sessions end; the other half is only left alone.
        for session in sessions.iter().step_by(2) {
            assert_eq!(
                session.send(session.request(Method::DELETE, "/mcp")).await.status,
                204
            );
        }
    }
    until("everything is as before", Duration::from_secs(20), || async {
        let after = PROCESSES.map(measure);
        let left = channels(&stack, "mcp:*").await;
        let grown = PROCESSES
            .iter()
            .zip(before.iter().zip(&after))
            .filter(|(_, (before, after))| {
                // A few connections are kept for the next request.
                after.0 > before.0 + 3 || after.1 > before.1
            });
        let grown: Vec<_> = grown
            .map(|(name, counts)| format!("{name}: (descriptors, threads) {counts:?}"))
            .collect();
        // Of the process-wide channels, and of the session that was there before.
        if grown.is_empty() && left <= 6 {
            Ok(())
        } else {
            Err(format!("{grown:?}, {left} channels"))
        }
    })
    .await;
    assert!(redis_connections(&stack).await <= connections);
    warm.is_well().await.unwrap();
}

/// Reference failure 16: tokens, codes and secrets never reach Redis, nor any log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_neither_sent_to_redis_nor_logged() {
    let stack = Stack::builder()
        .processes()
        .redis()
        .edges(2)
        .setting("RUST_LOG", "debug")
        .start()
        .await
        .unwrap();
    let monitor = Monitor::of(&stack).await;
    let mut browser = system_tests::Browser::of("alice").unwrap();
    let tokens = browser.log_in(&stack.url("/mcp")).await.unwrap();
    let session = Session::begin(&stack.edge_url(0, ""), Some(&tokens.access_token), NEWEST).await;
    let _stream = session.listen().await;
    let there = session.at(&stack.edge_url(1, ""));
    there.echoes().await.unwrap();
    let secret_argument = "the-argument-of-a-call-0451";
    session
        .send(there.tool(1, "echo", json!({ "message": secret_argument })))
        .await;
    let refresh = tokens.refresh_token.clone().unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &refresh),
        ("client_id", &tokens.client_id),
    ];
    let refreshed = session
        .client
        .post(&tokens.token_endpoint)
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(refreshed.status(), 200);
    let refreshed: serde_json::Value = refreshed.json().await.unwrap();
    let secrets = [
        tokens.access_token.as_str(),
        &refresh,
        refreshed["access_token"].as_str().unwrap(),
        refreshed["refresh_token"].as_str().unwrap(),
        secret_argument,
    ];
    let seen = monitor.seen().await;
    assert!(seen.contains(&session.id), "the monitor saw nothing");
    let logs: String = ["edge-0", "edge-1", "auth-0", "session-0", "feature-0"]
        .map(|name| std::fs::read_to_string(stack.directory().join(format!("{name}.log"))).unwrap())
        .concat();
    assert!(logs.contains("/mcp"), "the logs say nothing");
    for (number, secret) in secrets.into_iter().enumerate() {
        assert!(!seen.contains(secret), "secret {number} was sent to redis");
        assert!(!logs.contains(secret), "secret {number} was logged");
    }
}

/// Reference failure 21: one line per request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_one_line_in_the_log() {
    let stack = Stack::builder()
        .processes()
        .redis()
        .setting("RUST_LOG", "info")
        .start()
        .await
        .unwrap();
    let token = token(&stack, "alice").await;
    let session = Session::begin(&stack.edge_url(0, ""), Some(&token), NEWEST).await;
    session.echoes().await.unwrap();
    let log = |name: &str| std::fs::read_to_string(stack.directory().join(format!("{name}.log"))).unwrap();
    let lines = |name: &str| log(name).lines().count();
    let before = ["edge-0", "auth-0", "session-0", "feature-0"].map(lines);
    for _ in 0..50 {
        session.echoes().await.unwrap();
    }
    let after = until("the last line", Duration::from_secs(5), || async {
        let after = ["edge-0", "auth-0", "session-0", "feature-0"].map(lines);
        if after[0] >= before[0] + 50 {
            Ok(after)
        } else {
            Err(format!("{after:?}"))
        }
    })
    .await;
    assert_eq!(after[0], before[0] + 50, "{}", stack.logs());
    // The services say something only now and then.
    for (before, after) in before.iter().zip(&after).skip(1) {
        assert!(
            after - before < 10,
            "{before} lines became {after}\n{}",
            stack.logs()
        );
    }
    let longest = log("edge-0")
        .lines()
        .skip(before[0])
        .map(str::len)
        .max()
        .unwrap_or_default();
    assert!(longest < 800, "a line of {longest} bytes\n{}", stack.logs());
}
